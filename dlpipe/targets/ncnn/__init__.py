"""ncnn: small networks on phones and boards, from ONNX by pnnx."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets.emulation import emulated_run

_HERE = Path(__file__).parent

# What pnnx is known to fail on. Most operators can be judged only by converting: it folds and fuses before it maps.
_REFUSED = {
    "If": "ncnn's graphs have no branches",
    "Loop": "ncnn's graphs have no loops",
    "Scan": "ncnn's graphs have no loops",
    "SequenceAt": "ncnn has no sequences",
    "SequenceConstruct": "ncnn has no sequences",
    "NonMaxSuppression": "ncnn has no outputs of unknown size",
    "NonZero": "ncnn has no outputs of unknown size",
}


class Ncnn:
    name = "ncnn"
    summary = "ncnn, converted by pnnx"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("fp32", "fp16")

    def ir_variant(self, variant: str) -> str:
        """pnnx halves the weights itself, and reads fp32 only."""
        return "fp32" if variant == "fp16" else variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[str, ...]:
        return ("unroll", "fold-constants") if {"Loop", "Scan"} & set(model["operators"]) else ()

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        del target
        if variant == "int8":
            return [Refusal("ncnn's packages hold no tool that makes int8 models (ncnn2int8)")]
        operators = model.get("operators", {})
        return [Refusal(f"{op}: {why}", op=op) for op, why in _REFUSED.items() if op in operators]

    def compile_call(self, target: Target, variant: str) -> Call:
        return Call("ncnn", _HERE / "worker.py", "compile", {"target": target.name, "variant": variant})

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner == "native":
            return Call("ncnn", _HERE / "worker.py", "run", {"machine": target.arch})
        if target.arch == "aarch64":
            return emulated_run(target, _HERE / "guest.py", "ncnn-aarch64")
        return None

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "native":
            return None
        return Call("ncnn", _HERE / "worker.py", "time", {"threads": 1}, stage_class="hardware")
