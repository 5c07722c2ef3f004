"""MNN: Alibaba's runtime for phones, boards and PCs, from ONNX by its own converter.

- fp32 computes in floats. fp16 stores halves, and computes in halves where the processor can.
- int8 is computed in 8 bits, with the scales that dlpipe's quantiser found; of a model whose weights alone are
  quantised, MNN stores the weights in 8 bits. int4 stores weights in 4 bits, in blocks, by MNN's own search (HQQ).
- Branches and loops run by MNN's Module interface; `Scan` is written out before.
- int64 is held in 32 bits: numbers beyond are cut off.

A program in C++ needs MNN's headers and library, which its Python packages do not bring: `run.py` is the sample.
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
_WRITTEN_OUT = ("Attention", "RMSNormalization", "RotaryEmbedding", "Swish")  # which its converter lacks
_TYPES = {"inputs": ("float32", "int32", "int64", "bool", "uint8"), "outputs": ("float32", "int32", "int64", "bool")}


class Mnn:
    name = "mnn"
    summary = "MNN, on the CPU"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("fp32", "fp16", "int8", "int4")

    def ir_variant(self, variant: str) -> str:
        """Halves and 4-bit weights MNN makes itself, of fp32."""
        return "int8" if variant == "int8" else "fp32"

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        return written_out(model, _WRITTEN_OUT, loops=frozenset({"Scan"}))

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        """By operator and by type of the inputs and outputs; `model` is what the describe operation says of the IR."""
        del target
        known = _coverage()
        found = list(preflight.unknown_operators(model, known["operators"], known["tool"] + " does not import {}"))
        for side, types in _TYPES.items():
            found += [
                Refusal(f"MNN's Python interface has no {port['dtype']} {side}: {port['name']}")
                for port in model.get(side, ())
                if port["dtype"] not in types
            ]
        if variant in ("fp16", "int4") and "QuantizeLinear" in model.get("operators", {}):
            found.append(Refusal(f"the model is quantised to 8 bits already: there is nothing to store as {variant}"))
        return found

    def compile_call(self, target: Target, variant: str) -> Call:
        return Call("mnn", _WORKER, "compile", {"target": target.name, "variant": variant}, libraries=(KIT,))

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner == "native":
            return Call("mnn", _WORKER, "run", {"machine": target.arch}, libraries=(KIT,))
        if target.arch == "aarch64":
            return emulated_run(target, _HERE / "guest.py", "mnn-aarch64")
        return None

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "native":
            return None
        return Call("mnn", _WORKER, "time", {"threads": 1}, libraries=(KIT,), stage_class="hardware")


@cache
def _coverage() -> Any:
    return json.loads((_HERE / "operators.json").read_text(encoding="utf-8"))
