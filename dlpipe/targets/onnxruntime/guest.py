"""An artefact in ONNX Runtime. Imported by the worker, and run as a program under emulation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime as ort

from ..kit import executing
from ..kit.executing import Array, Arrays

_CPU = ["CPUExecutionProvider"]


class Model(executing.Model):
    """On the CPU and nowhere else."""

    tool = f"onnxruntime {ort.__version__}"

    def __init__(self, artifact: str, threads: int = 1) -> None:
        entry = executing.described(artifact)["entry"]
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would disturb what runs beside it
        self._session = ort.InferenceSession(str(Path(artifact, entry)), options, providers=_CPU)
        if self._session.get_providers() != _CPU:
            raise RuntimeError(f"expected to run on the CPU, got {self._session.get_providers()}")
        self.inputs = tuple(port.name for port in self._session.get_inputs())
        self._outputs = [port.name for port in self._session.get_outputs()]

    @property
    def proof(self) -> Mapping[str, Any]:
        return {"providers": self._session.get_providers()}

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(feeds)), strict=True))


if __name__ == "__main__":
    executing.main(Model)
