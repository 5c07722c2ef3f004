"""OpenCV's DNN module: for programs that use OpenCV anyway and want no other runtime.

The artefact is an ONNX model that OpenCV 5 was seen to load and run. It has two engines, and neither does all: the new
one takes loops, free shapes and 16-bit numbers, the classic one LSTMs and quantised models. run.json says which.

A program in C++ needs OpenCV's headers, which its Python packages do not bring: `run.py` is the sample, and the calls
have the same names in C++ (`cv::dnn::readNetFromONNX`, `setInput`, `forward`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, preflight
from dlpipe.targets.emulation import emulated_run
from dlpipe.targets.lowering import written_out

_HERE = Path(__file__).parent
_WORKER = _HERE / "worker.py"
_TOOLCHAIN = "opencv5"
_OTHERWISE = ("PRelu",)  # whose cases have a slope for each number; it takes one for each channel, as networks do
_WRITTEN_OUT = ("Attention", "Gelu", "RMSNormalization", "RotaryEmbedding", "Swish")


class OpenCv:
    name = "opencv"
    summary = "OpenCV DNN, on the CPU"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("fp32", "int8")

    def ir_variant(self, variant: str) -> str:
        return variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        fails = [name for name in _WRITTEN_OUT if _fails(name)]
        return written_out(model, fails, loops=frozenset({"Scan"}))

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        """By operator: one that passes none of ONNX's own cases. `model` is what the describe operation says."""
        del target
        refused = {}
        for name in sorted(model.get("operators", {})):
            domain, _, op = name.rpartition("::")
            if domain not in ("", "ai.onnx"):
                refused[name] = "OpenCV knows ONNX's own operators only"
            elif _fails(op):
                refused[name] = f"{_coverage()['tool']} computes none of ONNX's test cases of it as it should"
        found = list(preflight.operators(model, refused))
        if variant not in ("fp32", "int8"):
            found.append(Refusal(f"OpenCV computes ONNX models in 32-bit floats or 8-bit integers, not in {variant}"))
        return found

    def compile_call(self, target: Target, variant: str) -> Call:
        return Call(_TOOLCHAIN, _WORKER, "compile", {"target": target.name, "variant": variant}, libraries=(KIT,))

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner == "native":
            return Call(_TOOLCHAIN, _WORKER, "run", {"machine": target.arch}, libraries=(KIT,))
        if target.arch == "aarch64":
            return emulated_run(target, _HERE / "guest.py", "opencv5-aarch64")
        return None

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "native":
            return None
        return Call(_TOOLCHAIN, _WORKER, "time", {"threads": 1}, libraries=(KIT,), stage_class="hardware")


def _fails(op: str) -> bool:
    """An operator without cases is left to the compile."""
    return op not in _OTHERWISE and bool(_coverage()["operators"].get(op, [1])[0] == 0)


@cache
def _coverage() -> Any:
    return json.loads((_HERE / "operators.json").read_text(encoding="utf-8"))
