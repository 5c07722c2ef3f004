"""An artefact in LiteRT. Imported by the worker, and run as a program under emulation."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..kit import executing
from ..kit.executing import Array, Arrays

try:
    from ai_edge_litert import interpreter

    _TOOL = f"litert {version('ai-edge-litert')}"
except ModuleNotFoundError:  # on 32-bit Arm there is only what LiteRT was before
    from tflite_runtime import interpreter

    _TOOL = f"tflite-runtime {version('tflite-runtime')}"


class Model(executing.Model):
    """Fed by the contract's names, which the file's signature has."""

    tool = _TOOL

    def __init__(self, artifact: str, threads: int = 1) -> None:
        description = executing.described(artifact)
        self.inputs = tuple(port["name"] for port in description["inputs"])
        self._ports = description
        data = Path(artifact, description["entry"]).read_bytes()
        self._interpreter = interpreter.Interpreter(model_content=data, num_threads=threads)
        self._call = self._interpreter.get_signature_runner("serving_default")

    @property
    def proof(self) -> Mapping[str, Any]:
        """Which of the operators the XNNPACK delegate took, and which LiteRT's own kernels computed."""
        ops = self._interpreter._get_ops_details()  # noqa: SLF001  there is no public way to them
        parts = [op for op in ops if op["op_name"] == "DELEGATE"]
        ops = [op for op in ops if op["op_name"] != "DELEGATE"]
        makers = {int(tensor): op for op in ops for tensor in op["outputs"]}
        taken: set[int] = set()
        for part in parts:
            waiting = [int(tensor) for tensor in part["outputs"]]
            edge = {int(tensor) for tensor in part["inputs"]}
            while waiting:
                op = makers.get(waiting.pop())
                if op is not None and op["index"] not in taken:
                    taken.add(op["index"])
                    waiting += [int(tensor) for tensor in op["inputs"] if int(tensor) not in edge]
        own = sorted({op["op_name"] for op in ops if op["index"] not in taken})
        return {"xnnpack": f"{len(taken)} of {len(ops)} operators, in {len(parts)} parts", "own_kernels": own}

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        found = self._call(**feeds)
        return {
            port["name"]: np.asarray(found[port["name"]]).astype(port["dtype"], copy=False)
            for port in self._ports["outputs"]
        }


if __name__ == "__main__":
    executing.main(Model)
