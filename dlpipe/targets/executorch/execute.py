"""A .pte program in ExecuTorch's own Python runtime, on this machine. Runs in the executorch toolchain."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from executorch.extension.pybindings import portable_lib as runtime
from executorch.kernels import quantized  # noqa: F401 - its kernels enter themselves

from ..kit import executing, operations
from ..kit.executing import Array, Arrays


class Model(executing.Model):
    """`proof`: with how many threads it computes, and how many of its operators are XNNPACK's and how many are
    ExecuTorch's own kernels'. There is no fallback: a part made for XNNPACK runs there or does not load."""

    def __init__(self, artifact: str, threads: int = 1) -> None:
        description = executing.described(artifact)
        self.tool = "executorch " + description["runtime"]["version"]
        self.inputs = tuple(port["name"] for port in description["inputs"])
        self._inputs, self._outputs = description["inputs"], description["outputs"]
        runtime._unsafe_reset_threadpool(threads)  # noqa: SLF001 - there is no other way
        if (running := runtime._threadpool_get_thread_count()) != threads:  # noqa: SLF001 - as above
            raise RuntimeError(f"ExecuTorch computes with {running} threads instead of {threads}")
        self._file = program = Path(artifact, description["entry"]).read_bytes()  # the runtime reads on in it
        delegated = description["delegated"]
        if (b"XnnpackBackend" in program) != bool(delegated["xnnpack"]):
            raise RuntimeError("run.json and the program differ in whether XNNPACK computes any of it")
        self._program = runtime._load_for_executorch_from_buffer(program)  # noqa: SLF001 - as above
        self._proof = {"threads": threads, "xnnpack_operators": delegated["xnnpack"], "kernels": delegated["kernels"]}

    @property
    def proof(self) -> Mapping[str, Any]:
        return self._proof

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        given = [torch.from_numpy(np.ascontiguousarray(feeds[port["name"]], port["dtype"])) for port in self._inputs]
        results = self._program.forward(given)
        names = (port["name"] for port in self._outputs)
        return {name: result.numpy() for name, result in zip(names, results, strict=True)}


operations.serve(__name__, Model)
