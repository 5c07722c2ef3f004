"""A .pt2 package, executed on this machine. Runs in the toolchain that has PyTorch."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
import torch._inductor

from ..kit import executing, operations
from ..kit.executing import Array, Arrays


class Model(executing.Model):
    """`proof`: with how many threads, and which extensions libtorch's own kernels were chosen for."""

    tool = f"torch {torch.__version__}"

    def __init__(self, artifact: str, threads: int = 1) -> None:
        torch.set_num_threads(threads)
        description = executing.described(artifact)
        self.inputs = tuple(port["name"] for port in description["inputs"])
        self._ports = description
        self._model = torch._inductor.aoti_load_package(  # noqa: SLF001 - this is its public name
            str(Path(artifact, description["entry"])), run_single_threaded=threads == 1
        )

    @property
    def proof(self) -> Mapping[str, Any]:
        return {
            "threads": torch.get_num_threads(),
            "march": self._ports["code"]["march"],
            "libtorch_kernels": torch.backends.cpu.get_cpu_capability(),
        }

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        ports = self._ports["inputs"]
        given = [torch.from_numpy(np.ascontiguousarray(feeds[port["name"]], port["dtype"])) for port in ports]
        with torch.inference_mode():
            results = self._model(*given)
        if any(result.device.type != "cpu" for result in results):
            raise RuntimeError("the package computes on another device than the CPU")
        names = (port["name"] for port in self._ports["outputs"])
        return {name: result.numpy() for name, result in zip(names, results, strict=True)}


operations.serve(__name__, Model)
