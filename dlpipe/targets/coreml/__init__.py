"""Core ML: packages (.mlpackage) for Apple's systems. Nothing here executes what it makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.ir import TORCH_MODULE
from dlpipe.targets import KIT, preflight
from dlpipe.targets.lowering import written_out

_HERE = Path(__file__).parent
_PLATFORMS = ("arm64-apple-ios", "arm64-apple-macosx")
_TYPES = ("float32", "int32", "int64")  # of inputs and outputs; Core ML has int32 for int64, which run.json says
_REFUSED = {
    "If": "a program of torch.export has no branches here",
    "Loop": "a program of torch.export has no loops here",
    "Scan": "a program of torch.export has no loops here",
    "NonMaxSuppression": "its outputs have no size that is known before",
    "NonZero": "its outputs have no size that is known before",
    "QuantizeLinear": "Core ML's programs for iOS 16 have no int8 arithmetic",
    "DequantizeLinear": "Core ML's programs for iOS 16 have no int8 arithmetic",
}


class CoreMl:
    name = "coreml"
    summary = "Core ML packages for iPhone, iPad and Mac: converted and checked, never executed here"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("fp32", "fp16")

    def ir_variant(self, variant: str) -> str:
        """fp16 is what Core ML computes in: its own passes lower the fp32 model, all but its inputs and outputs."""
        return "fp32" if variant == "fp16" else variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        return written_out(model)

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        if target.triple not in _PLATFORMS:
            return [Refusal(f"Core ML is of Apple's systems, and {target.name} is none of them")]
        if variant not in self.variants(target):
            return [Refusal(f"no {variant} package is made: Core ML's programs for iOS 16 compute in fp32 and fp16")]
        found = list(preflight.free_dims(model, "Core ML"))
        return [*found, *_types(model), *preflight.operators(model, _REFUSED)]

    def compile_call(self, target: Target, variant: str) -> Call:
        params = {"target": target.name, "variant": variant}
        return Call("coreml", _HERE / "worker.py", "compile", params, libraries=(KIT, TORCH_MODULE))

    def run_call(self, target: Target, variant: str) -> Call | None:
        del target, variant
        return None

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del target, variant
        return None


def _types(model: Mapping[str, Any]) -> Iterator[Refusal]:
    for side in ("inputs", "outputs"):
        for port in model.get(side, ()):
            if port["dtype"] not in _TYPES:
                what = f"the {side.removesuffix('s')} {port['name']} is {port['dtype']}"
                yield Refusal(f"{what}: here Core ML's inputs and outputs are {', '.join(_TYPES)}")
