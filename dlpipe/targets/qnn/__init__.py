"""Qualcomm's Hexagon NPUs (HTP) by ONNX Runtime's QNN plug-in, compiled and simulated on x86-64."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, preflight
from dlpipe.targets.lowering import written_out

_HERE = Path(__file__).parent
_NO_GRAPHS = "QNN's graphs have no branches, loops or sequences"
# What its plug-in has no builder for, as far as it has been met; compiling names everything else by node.
_REFUSED = {
    **dict.fromkeys(("If", "SequenceAt", "SequenceConstruct"), _NO_GRAPHS),
    "NonMaxSuppression": "QNN has no outputs of unknown size",
    "NonZero": "QNN has no outputs of unknown size",
    "RNN": "QNN has no plain recurrent layer",
    "GRU": "the plug-in has no builder for it",
}
_WRITTEN_OUT = ("Attention", "RotaryEmbedding", "Swish", "RMSNormalization")
_FLOAT_SINCE = 69  # the first Hexagon whose matrix unit computes fp16


class Qnn:
    name = "qnn"
    summary = "Qualcomm QNN: a context binary for the Hexagon NPU, called by ONNX Runtime"

    def variants(self, target: Target) -> tuple[str, ...]:
        return ("fp16", "int8") if _arch(target) >= _FLOAT_SINCE else ("int8",)

    def ir_variant(self, variant: str) -> str:
        """It rounds fp32 models to fp16 itself; int8 is the QDQ model that a recipe made."""
        return "fp32" if variant == "fp16" else variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        composed = list(_WRITTEN_OUT)
        if "QuantizeLinear" in model["operators"]:
            composed.append("LayerNormalization")  # which it rejects between quantised tensors
        return written_out(model, composed)

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        if not _arch(target):
            return [Refusal(f"{target.name} has no Hexagon NPU (no htp_arch in its [options.qnn])")]
        if variant not in self.variants(target):
            return [Refusal(f"Hexagon v{_arch(target)} has no {variant} arithmetic")]
        return [*preflight.free_dims(model, "QNN"), *preflight.operators(model, _REFUSED)]

    def compile_call(self, target: Target, variant: str) -> Call:
        params = {"target": target.name, "variant": variant, "options": dict(target.options.get("qnn", {}))}
        return Call("qnn", _HERE / "worker.py", "compile", params, libraries=(KIT,))

    def run_call(self, target: Target, variant: str) -> Call | None:
        """In Qualcomm's x86 simulator of the HTP, with the CPU locked out."""
        del variant
        return Call("qnn", _HERE / "worker.py", "run", libraries=(KIT,)) if target.runner == "simulator" else None

    def timing_call(self, target: Target, variant: str) -> Call | None:
        """The simulator's time, and the cycles that it prints, say nothing of the hardware's."""
        del target, variant
        return None


def _arch(target: Target) -> int:
    said = str(target.options.get("qnn", {}).get("htp_arch", 0))
    return int(said) if said.isdecimal() else 0
