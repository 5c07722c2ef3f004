"""An artefact in ncnn. Imported by the worker, and run as a program under emulation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ncnn
import numpy as np

from ..kit import executing
from ..kit.executing import Array, Arrays
from . import vulkan


class Model(executing.Model):
    """run.json says how its blobs map to the inputs and outputs of the ONNX model."""

    tool = f"ncnn {ncnn.__version__}"

    def __init__(self, artifact: str, threads: int = 1, *, on_processor: bool = False) -> None:
        """`on_processor`: compute there even what was made for a Vulkan device, as the compiler's own trial does."""
        description = executing.described(artifact)
        self.inputs = tuple(port["name"] for port in description["inputs"])
        self._ports = description
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = threads
        for name, value in description["options"].items():
            setattr(self._net.opt, name, value)
        self._vulkan = self._net.opt.use_vulkan_compute and not on_processor
        self._net.opt.use_vulkan_compute = self._vulkan
        if self._vulkan and ncnn.get_gpu_count() == 0:
            raise RuntimeError("there is no Vulkan device: install the driver of the GPU, and the loader (libvulkan1)")
        for load, file in ((self._net.load_param, "model.param"), (self._net.load_model, "model.bin")):
            if load(str(Path(artifact, file))) != 0:
                raise RuntimeError(f"ncnn does not load {file}")

        self._placed = vulkan.placement(self._net) if self._vulkan else {}

    @property
    def proof(self) -> Mapping[str, Any]:
        """Of a model for Vulkan: which device it is on, and which layers are."""
        return self._placed

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        extractor = self._net.create_extractor()
        for port in self._ports["inputs"]:
            value = feeds[port["name"]]
            plain = np.ascontiguousarray(value, np.int32 if np.issubdtype(value.dtype, np.integer) else np.float32)
            extractor.input(port["blob"], ncnn.Mat(plain, batch_index=port["batch_index"]).clone())
        found = {}
        for port in self._ports["outputs"]:
            status, blob = extractor.extract(port["blob"])
            if status != 0:
                raise RuntimeError(f"ncnn failed to compute {port['name']} (status {status})")
            found[port["name"]] = shaped(np.array(blob.numpy(batch_index=port["batch_index"])), port)
        return found


def shaped(value: Array, port: Mapping[str, Any]) -> Array:
    """ncnn drops dims of one: give them back. A shape that differs in more than that is an error."""
    wanted = [dim if isinstance(dim, int) else None for dim in port["shape"]]
    if len(wanted) != value.ndim or any(w not in (None, g) for w, g in zip(wanted, value.shape, strict=True)):
        ones = [1 if dim is None else dim for dim in wanted]
        if [dim for dim in ones if dim != 1] != [dim for dim in value.shape if dim != 1]:
            raise RuntimeError(f"ncnn computed {port['name']} as {value.shape}, and the model says {port['shape']}")
        value = value.reshape(ones)
    return value.astype(port["dtype"], copy=False)


if __name__ == "__main__":
    executing.main(Model)
