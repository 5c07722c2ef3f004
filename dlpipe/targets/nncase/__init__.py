"""nncase 1: .kmodel files for Kendryte's K210, compiled and simulated on x86-64."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call, Limits
from dlpipe.targets import KIT, preflight
from dlpipe.targets.lowering import written_out

_HERE = Path(__file__).parent
_OPSET = 11  # newer ones have shapes and axes in tensors, which its importer reads in part
_NO_GRAPHS = "a kmodel has no branches, loops or sequences"
_REFUSED = {
    **dict.fromkeys(("If", "SequenceAt", "SequenceConstruct"), _NO_GRAPHS),
    "NonMaxSuppression": "a kmodel has no outputs of unknown size",
    "NonZero": "a kmodel has no outputs of unknown size",
}
_WRITTEN_OUT = ("Attention", "Gelu", "LayerNormalization", "RMSNormalization", "RotaryEmbedding", "Swish", "HardSwish")
_SIMULATION = Limits(wall_seconds=1800, cpu_seconds=1800)  # of some networks it has been seen to hang


class Nncase:
    name = "nncase"
    summary = "Canaan's nncase: .kmodel for the K210"
    calibrates = ("int8",)

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("int8", "fp32")

    def ir_variant(self, variant: str) -> str:
        """It reads fp32, and chooses the KPU's 8-bit scales itself."""
        del variant
        return "fp32"

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        steps, old = written_out(model, _WRITTEN_OUT), (model.get("opset") or _OPSET) <= _OPSET
        return steps if old else (*steps, Lowering("opset", {"version": _OPSET}))

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        if target.arch == "k230":
            return [
                Refusal("nncase 2, which the K230 needs, runs on .NET 7, and no package registry of dlpipe's has it")
            ]
        if "memory" not in target.options.get(self.name, {}):
            return [Refusal(f"{target.name} is no K210 (no memory in its [options.nncase])")]
        if variant not in self.variants(target):
            return [Refusal(f"nncase makes no {variant} models for it: the KPU computes in 8 bits, its cores in fp32")]
        inputs = model.get("inputs", ())
        if variant in self.calibrates and len(inputs) > 1:
            return [Refusal(f"nncase 1 calibrates models of one input, and this one has {len(inputs)}")]
        return [*preflight.free_dims(model, "nncase"), *preflight.operators(model, _REFUSED)]

    def compile_call(self, target: Target, variant: str) -> Call:
        memory = target.options.get(self.name, {}).get("memory")
        params = {"target": target.name, "variant": variant, "memory": memory}
        return Call("nncase", _HERE / "worker.py", "compile", params, libraries=(KIT,))

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "simulator":
            return None
        return Call("nncase", _HERE / "worker.py", "run", libraries=(KIT,), limits=_SIMULATION)

    def timing_call(self, target: Target, variant: str) -> Call | None:
        """The simulator computes results, and no times."""
        del target, variant
        return None
