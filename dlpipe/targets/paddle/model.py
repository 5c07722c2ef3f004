"""An artefact in Paddle Inference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import inference

from ..kit import executing
from ..kit.executing import Array, Arrays


class Model(executing.Model):
    """run.json says what its tensors are called for the inputs and outputs of the ONNX model."""

    tool = f"Paddle Inference {paddle.__version__}"

    def __init__(self, artifact: str, threads: int = 1) -> None:
        description = executing.described(artifact)
        self.inputs = tuple(port["name"] for port in description["inputs"])
        self._ports = description
        weights = Path(artifact, "model.pdiparams")
        config = inference.Config(str(Path(artifact, "model.json")), str(weights) if weights.is_file() else "")
        config.disable_gpu()
        config.disable_glog_info()
        config.set_cpu_math_library_num_threads(threads)
        if config.use_gpu():
            raise RuntimeError("Paddle computes on a GPU, and was asked for the processor")
        self._proof = {"device": "CPU", "onednn": bool(config.mkldnn_enabled())}
        self._engine = inference.create_predictor(config)

    @property
    def proof(self) -> Mapping[str, Any]:
        return self._proof

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        for port in self._ports["inputs"]:
            handle = self._engine.get_input_handle(port["tensor"])
            handle.copy_from_cpu(np.ascontiguousarray(feeds[port["name"]]))
        self._engine.run()
        names = self._engine.get_output_names()  # in the order of the model's outputs
        found = {}
        for name, port in zip(names, self._ports["outputs"], strict=True):
            value = self._engine.get_output_handle(name).copy_to_cpu()
            value = value.reshape(()) if not port["shape"] and value.size == 1 else value
            found[port["name"]] = executing.conforming(value, port, "Paddle")
        return found
