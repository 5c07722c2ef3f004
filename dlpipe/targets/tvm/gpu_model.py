"""A model that TVM compiled for an NVIDIA GPU, on that GPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from tvm import relax

from ..kit import cuda, executing


class Model(executing.Model):
    """Raises RuntimeError where there is no GPU of the artefact's compute capability.

    TVM's runtime has the kernels of a module compiled when it loads it, and asks a function of this name to do that: it
    is given the cubin that was compiled ahead of time.
    """

    tool = f"apache-tvm {tvm.__version__}"

    def __init__(self, artifact: str, threads: int = 1) -> None:
        del threads  # of the host, which only starts kernels
        about = executing.described(artifact)
        self._gpu = cuda.Device()
        self._gpu.must_be(about["capability"])
        kernels = Path(artifact, about["kernels"]).read_bytes()
        tvm.register_global_func("tvm_callback_cuda_compile", lambda *_: kernels, override=True)
        self._device = tvm.cuda(0)
        if not self._device.exist:
            raise RuntimeError("TVM's runtime sees no CUDA device")
        machine = relax.VirtualMachine(tvm.runtime.load_module(str(Path(artifact, about["entry"]))), self._device)
        self._main = machine["main"]
        self.inputs = tuple(port["name"] for port in about["inputs"])
        self._outputs = [port["name"] for port in about["outputs"]]

    @property
    def proof(self) -> Mapping[str, Any]:
        return {"device": self._device.device_name, "capability": self._device.compute_version}

    def run(self, feeds: Mapping[str, executing.Array]) -> executing.Arrays:
        arguments = [tvm.runtime.tensor(np.ascontiguousarray(feeds[name]), self._device) for name in self.inputs]
        result = self._main(*arguments)
        found = [result] if isinstance(result, tvm.runtime.Tensor) else list(result)
        return {name: each.numpy() for name, each in zip(self._outputs, found, strict=True)}
