"""hls4ml: networks as C++ for high-level synthesis on FPGAs, simulated by a C++ compiler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, preflight

_HERE = Path(__file__).parent
_WORKER = _HERE / "worker.py"

# Fixed point, as AMD's compiler writes it: all bits, and those before the point. By variant; [options.hls4ml] of a
# target may say otherwise.
_FORMATS = {"int16": "ap_fixed<16,6>", "int8": "ap_fixed<8,4>"}
_DEFAULTS: Mapping[str, Any] = {
    "clock_ns": 10,
    "max_multiplications": 200_000,
    "reuse_factor": 1,
    "strategy": "Latency",
}


class Hls4ml:
    name = "hls4ml"
    summary = "hls4ml: an HLS project (Vitis) in fixed point, executed by its C simulation"

    def variants(self, target: Target) -> tuple[str, ...]:
        """The width of the fixed point that everything is computed in: nothing is calibrated."""
        del target
        return tuple(_FORMATS)

    def ir_variant(self, variant: str) -> str:
        del variant
        return "fp32"

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        del model
        return ()

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        options = _options(target, variant)
        if "part" not in options:
            return [Refusal(f"{target.name} is no FPGA that hls4ml's Vitis projects are made for")]
        if variant not in self.variants(target):
            return [Refusal(f"hls4ml computes in fixed point here: there is no {variant}")]
        found = list(preflight.unknown_operators(model, _known(), "hls4ml does not read {} of ONNX"))
        found += preflight.free_dims(model, "a circuit")
        if (model.get("macs") or 0) > options["max_multiplications"]:
            found.append(
                Refusal(
                    f"it multiplies {model['macs']:,} times, and its projects are tried up to"
                    f" {options['max_multiplications']:,} (options.hls4ml.max_multiplications of the target)",
                    hint="with a larger options.hls4ml.reuse_factor multipliers are shared",
                )
            )
        return found

    def compile_call(self, target: Target, variant: str) -> Call:
        params = {"target": target.name, "variant": variant, "options": _options(target, variant)}
        return Call("hls4ml", _WORKER, "compile", params, libraries=(KIT,))

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "simulator":
            return None
        return Call("hls4ml", _WORKER, "run", {}, libraries=(KIT,))

    def timing_call(self, target: Target, variant: str) -> Call | None:
        """A simulation's time says nothing of the circuit's."""
        del target, variant
        return None


def _options(target: Target, variant: str) -> dict[str, Any]:
    return {**_DEFAULTS, "precision": _FORMATS.get(variant, ""), **target.options.get("hls4ml", {})}


@cache
def _known() -> frozenset[str]:
    return frozenset(json.loads((_HERE / "operators.json").read_text(encoding="utf-8"))["operators"])
