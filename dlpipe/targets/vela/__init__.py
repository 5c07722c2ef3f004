"""Vela: int8 models for Arm's Ethos-U NPUs, by way of a .tflite file. Nothing here executes what it makes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, TFLITE
from dlpipe.targets.tflite import accepting

_HERE = Path(__file__).parent
_OPTIONS = ("accelerator", "memory", "system")


class Vela:
    name = "vela"
    summary = "Arm's Vela, for Ethos-U NPUs: compiled and estimated, never executed here"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("int8",)

    def ir_variant(self, variant: str) -> str:
        return variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        return accepting.lowering(model)

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        if not target.arch.startswith("ethos-u"):
            return [Refusal(f"Vela compiles for Ethos-U NPUs, and {target.name} is none")]
        if missing := [name for name in _OPTIONS if name not in target.options.get("vela", {})]:
            return [Refusal(f"{target.name} does not say its {', '.join(missing)} in [options.vela]")]
        if variant != "int8":
            return [Refusal(f"an Ethos-U computes in 8 bits: there is no {variant} for it")]
        return accepting.refusals(model)

    def compile_call(self, target: Target, variant: str) -> Call:
        params = {
            "target": target.name,
            "variant": variant,
            **{name: target.options.get("vela", {}).get(name) for name in _OPTIONS},
        }
        return Call("vela", _HERE / "worker.py", "compile", params, libraries=(KIT, TFLITE))

    def run_call(self, target: Target, variant: str) -> Call | None:
        del target, variant
        return None

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del target, variant
        return None
