"""An engine, loaded on the GPU that it is for, and fed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..kit import cuda, executing
from . import loading


class Model(executing.Model):
    """Raises RuntimeError where there is no GPU of the artefact's compute capability, or the engine does not load."""

    def __init__(self, artifact: str, threads: int = 1) -> None:
        del threads  # of the host, which only waits
        about = executing.described(artifact)
        self._device = cuda.Device()
        self._device.must_be(about["capability"])
        trt, self.tool = loading.load(about["kind"])
        self._engine = trt.Runtime(trt.Logger(trt.Logger.WARNING)).deserialize_cuda_engine(
            Path(artifact, about["entry"]).read_bytes()
        )
        if self._engine is None:
            raise RuntimeError(f"{self.tool} does not load the engine: it was built by {about['runtime']['version']}")
        self._context = self._engine.create_execution_context()
        self.inputs = tuple(port["name"] for port in about["inputs"])
        self._outputs = {port["name"]: np.dtype(port["dtype"]) for port in about["outputs"]}
        self._kinds = {name: np.dtype(trt.nptype(self._engine.get_tensor_dtype(name))) for name in self._names()}
        self._places: dict[str, tuple[int, int]] = {}  # name -> address, size in bytes

    @property
    def proof(self) -> Mapping[str, Any]:
        return {"device": self._device.name, "capability": self._device.capability}

    def run(self, feeds: Mapping[str, executing.Array]) -> executing.Arrays:
        for name in self.inputs:
            value = np.ascontiguousarray(feeds[name], self._kinds[name])
            self._context.set_input_shape(name, value.shape)
            self._device.upload(self._place(name, value.nbytes), value)
        found = {
            name: np.empty(tuple(self._context.get_tensor_shape(name)), self._kinds[name]) for name in self._outputs
        }
        for name, array in found.items():
            self._place(name, array.nbytes)
        if not self._context.execute_async_v3(self._device.stream):
            raise RuntimeError(f"{self.tool} did not execute the engine")
        self._device.synchronise()
        for name, array in found.items():
            self._device.download(self._places[name][0], array)
        return {name: array.astype(self._outputs[name], copy=False) for name, array in found.items()}

    def _names(self) -> list[str]:
        return [self._engine.get_tensor_name(number) for number in range(self._engine.num_io_tensors)]

    def _place(self, name: str, size: int) -> int:
        """Memory on the GPU for a tensor, which stays the same from run to run."""
        if self._places.get(name, (0, -1))[1] < size:
            self._places[name] = self._device.allocate(size), size
            self._context.set_tensor_address(name, self._places[name][0])
        return self._places[name][0]
