"""A model that TVM wrote in OpenCL C, on the first OpenCL device. Run as a program where that device is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..kit import executing, opencl

_POCL = "Portable Computing Language"  # as its platform calls itself


class Model(executing.Model):
    """Nothing is computed elsewhere: the kernels are all that there is."""

    def __init__(self, artifact: str, threads: int = 1) -> None:
        del threads
        about = executing.described(artifact)
        self._device = opencl.Device()
        self.tool = f"OpenCL driver {self._device.driver}"
        program = self._device.build(Path(artifact, about["kernels"]).read_text(encoding="utf-8"))
        with np.load(Path(artifact, "weights.npz"), allow_pickle=False) as stored:
            weights = {int(name): np.ascontiguousarray(stored[name]) for name in stored.files}
        buffers = [self._device.buffer(size, weights.get(place)) for place, size in enumerate(about["buffers"])]
        self._launches = [
            (self._device.kernel(program, each["kernel"], [buffers[place] for place in each["buffers"]]), each)
            for each in about["launches"]
        ]
        self._buffers, self._ports = buffers, about
        self.inputs = tuple(port["name"] for port in about["inputs"])

    @property
    def proof(self) -> Mapping[str, Any]:
        name, in_software = self._device.name, self._device.platform == _POCL
        return {"ran_on": "simulator:pocl" if in_software else f"device:{name}", "device": name}

    def run(self, feeds: Mapping[str, executing.Array]) -> executing.Arrays:
        for port in self._ports["inputs"]:
            self._device.write(self._buffers[port["buffer"]], feeds[port["name"]].astype(port["dtype"], copy=False))
        for kernel, each in self._launches:
            self._device.launch(kernel, each["groups"], each["items"])
        return {
            port["name"]: self._device.read(self._buffers[port["buffer"]], port["shape"], port["dtype"])
            for port in self._ports["outputs"]
        }


if __name__ == "__main__":
    executing.main(Model)
