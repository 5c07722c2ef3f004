"""Rockchip's NPUs by RKNN-Toolkit2, compiled and simulated on x86-64."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, preflight
from dlpipe.targets.lowering import written_out

_HERE = Path(__file__).parent
_OPSET = 19  # the newest that its reader takes
_NO_GRAPHS = "RKNN's graphs have no branches, loops or sequences"
_REFUSED = {
    **dict.fromkeys(("If", "SequenceAt", "SequenceConstruct"), _NO_GRAPHS),
    "NonMaxSuppression": "RKNN has no outputs of unknown size",
    "NonZero": "RKNN has no outputs of unknown size",
}
_WRITTEN_OUT = ("Attention", "RotaryEmbedding", "RMSNormalization", "Swish")  # newer than that opset


class Rknn:
    name = "rknn"
    summary = "Rockchip RKNN-Toolkit2: .rknn for the NPUs of RK3588, RK356x and their kin"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("fp16", "int8")

    def ir_variant(self, variant: str) -> str:
        """It rounds fp32 models to fp16 itself; int8 is the QDQ model that a recipe made, with its scales."""
        return "fp32" if variant == "fp16" else variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        steps, old = written_out(model, _WRITTEN_OUT), (model.get("opset") or _OPSET) <= _OPSET
        return steps if old else (*steps, Lowering("opset", {"version": _OPSET}))

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        if "platform" not in target.options.get("rknn", {}):
            return [Refusal(f"{target.name} has no Rockchip NPU (no platform in its [options.rknn])")]
        if variant not in self.variants(target):
            return [Refusal(f"RKNN makes no {variant} models")]
        found = [*preflight.free_dims(model, "RKNN"), *preflight.operators(model, _REFUSED)]
        if (opset := model.get("opset") or 0) > _OPSET:
            found.append(Refusal(f"opset {opset}, and RKNN-Toolkit2 reads up to {_OPSET}", hint="export it lower"))
        return found

    def compile_call(self, target: Target, variant: str) -> Call:
        params = {"target": target.name, "variant": variant, "options": dict(target.options.get("rknn", {}))}
        return Call("rknn", _HERE / "worker.py", "compile", params, libraries=(KIT,))

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        return Call("rknn", _HERE / "worker.py", "run", libraries=(KIT,)) if target.runner == "simulator" else None

    def timing_call(self, target: Target, variant: str) -> Call | None:
        """The simulator computes results, and no times."""
        del target, variant
        return None
