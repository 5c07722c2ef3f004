"""ExecuTorch: PyTorch's runtime for phones and boards, its programs computed by XNNPACK."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.ir import TORCH_MODULE
from dlpipe.targets import KIT, preflight
from dlpipe.targets.lowering import written_out

_HERE = Path(__file__).parent
_HERE_TOO = "x86_64-linux-gnu"  # where its Python runtime runs
# The program is the same for all processors, as XNNPACK chooses its kernels when it is loaded.
_NOT_EXECUTED = {
    "aarch64-linux-gnu": "ExecuTorch's package for Arm needs PyTorch for Arm, which dlpipe has no emulated root for",
    "aarch64-linux-android": "on Android the program is loaded by ExecuTorch's AAR; there is no device here",
    "arm64-apple-ios": "on iOS the program is loaded by ExecuTorch's framework; there is no device here",
}
_REFUSED = {
    "If": "a program of torch.export has no branches here",
    "Loop": "a program of torch.export has no loops here",
    "Scan": "a program of torch.export has no loops here",
    "NonMaxSuppression": "ExecuTorch has no outputs of unknown size",
    "NonZero": "ExecuTorch has no outputs of unknown size",
}


class ExecuTorch:
    name = "executorch"
    summary = "ExecuTorch, its operators computed by XNNPACK where it has them"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("fp32", "int8")

    def ir_variant(self, variant: str) -> str:
        """int8 is the IR's own quantisation, said in PyTorch's operators (PT2E), which XNNPACK takes."""
        return variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        return written_out(model)

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        found = []
        if target.triple not in (_HERE_TOO, *_NOT_EXECUTED):
            found.append(Refusal(f"there is no build of ExecuTorch for {target.triple or target.name}"))
        if variant not in self.variants(target):
            found.append(Refusal(f"no {variant} program is made: XNNPACK takes fp32, and int8 as the IR has it"))
        return [*found, *preflight.operators(model, _REFUSED)]

    def compile_call(self, target: Target, variant: str) -> Call:
        reason = None if target.runner == "native" else _NOT_EXECUTED.get(target.triple)
        params = {"target": target.name, "variant": variant, "not_executed": reason}
        return Call("executorch", _HERE / "worker.py", "compile", params, libraries=(KIT, TORCH_MODULE))

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "native" or target.triple != _HERE_TOO:
            return None
        return Call("executorch", _HERE / "execute.py", "run", {"machine": target.arch}, libraries=(KIT,))

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "native" or target.triple != _HERE_TOO:
            return None
        return Call(
            "executorch", _HERE / "execute.py", "time", {"threads": 1}, libraries=(KIT,), stage_class="hardware"
        )
