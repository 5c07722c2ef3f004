"""da4ml: small quantised networks as circuits in Verilog, executed in Verilator, for FPGAs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call, Limits
from dlpipe.targets import KIT, preflight

_HERE = Path(__file__).parent
_WORKER = _HERE / "worker.py"

# What a target's [options.da4ml] may say beside `device`, `part`, `family`, `luts` and what nextpnr wants to know.
_DEFAULTS: Mapping[str, Any] = {
    "clock_mhz": 50,  # asked of place-and-route, and of Vivado
    "delay": 3,  # adders in a row between two registers
    "estimate_limit": 1.2,  # of the device, by da4ml's own estimate, which is low: beyond that nothing is synthesised
    "max_multiplications": 12_000,
    "place_and_route_seconds": 0,  # of processor time; 0: none, so no Fmax and no bitstream
    "simulator": "verilator",  # or icarus, which is built at once and slow on large circuits
    "synthesis_seconds": 900,  # of processor time; 0: none, so no resources
}
_FAMILIES = ("ecp5", "ice40", "xilinx")
_ENDS = ("LogSoftmax", "Softmax")  # by the host, at an output only


class Da4ml:
    name = "da4ml"
    summary = (
        "da4ml: Verilog without multipliers, executed in Verilator; synthesis by Yosys, place-and-route by nextpnr"
    )

    def variants(self, target: Target) -> tuple[str, ...]:
        """int8: the integers of the quantised model. int4: its weights in 4 bits, every scale a power of two."""
        del target
        return ("int8", "int4")

    def ir_variant(self, variant: str) -> str:
        """Both need the ranges that were calibrated for int8."""
        del variant
        return "int8"

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        del model
        return ()

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        options = _options(target)
        if options.get("family") not in _FAMILIES:
            return [Refusal(f"{target.name} is no FPGA that da4ml's circuits are made for here")]
        if variant not in self.variants(target):
            return [Refusal(f"a circuit computes in integers: there is no {variant}")]
        nodes = model.get("nodes", ())
        found = list(preflight.unknown_operators(model, _known(), "{} cannot be made into wires"))
        found += preflight.free_dims(model, "a circuit")
        found += [
            Refusal(
                f"{node['op']} is computed by the host, so only at an output", node=node["name"] or None, op=node["op"]
            )
            for node in nodes
            if node["op"] in _ENDS and any(_reads(each, node) for each in nodes)
        ]
        most = options["max_multiplications"]
        if (model.get("macs") or 0) > most:
            found.append(
                Refusal(
                    f"it multiplies {model['macs']:,} times, and each of them is a circuit of its own: {target.name}"
                    f" is tried up to {most:,} (options.da4ml.max_multiplications)",
                    hint="a smaller network; hls4ml shares its multipliers",
                )
            )
        return found

    def compile_call(self, target: Target, variant: str) -> Call:
        options = _options(target)
        params = {"target": target.name, "variant": variant, "options": options}
        seconds = 1800 + options["synthesis_seconds"] + options["place_and_route_seconds"]
        limits = Limits(cpu_seconds=2 * seconds, wall_seconds=12 * seconds)
        resources = ("fpga-flow",) if options["synthesis_seconds"] else ()
        return Call("da4ml", _WORKER, "compile", params, resources=resources, libraries=(KIT,), limits=limits)

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "simulator":
            return None
        params = {"simulator": _options(target)["simulator"]}
        return Call("da4ml", _WORKER, "run", params, resources=("hdl-simulators",), libraries=(KIT,))

    def timing_call(self, target: Target, variant: str) -> Call | None:
        """A simulation's time says nothing of the circuit's: that is `latency_edges` at `fmax`."""
        del target, variant
        return None


def _reads(node: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool({each["name"] for each in other["outputs"]} & {each["name"] for each in node["inputs"]})


def _options(target: Target) -> dict[str, Any]:
    return {**_DEFAULTS, **target.options.get("da4ml", {})}


@cache
def _known() -> frozenset[str]:
    return frozenset(json.loads((_HERE / "operators.json").read_text(encoding="utf-8"))["operators"])
