"""TVM (Relax): native code for one processor, run by a small program of ours, without Python."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Refusal, Target
from dlpipe.contracts.call import Call

_HERE = Path(__file__).parent
_COMPILER = _HERE / "worker.py"
# Linux triple -> zig's name of it (the oldest C library that TVM's wheels run on), and the toolchain that holds TVM's
# libraries for it: x86-64 uses those of the compiler's own toolchain.
_PLATFORMS = {
    "x86_64-linux-gnu": ("x86_64-linux-gnu.2.28", None),
    "aarch64-linux-gnu": ("aarch64-linux-gnu.2.28", "tvm-aarch64"),
}
_EMULATOR = {"aarch64": "qemu-aarch64"}
_MULTIARCH = {"aarch64": "aarch64-linux-gnu"}


class Tvm:
    name = "tvm"
    summary = "Apache TVM: Relax, compiled to machine code ahead of time, untuned"

    def variants(self, target: Target) -> tuple[str, ...]:
        """fp16 only where the processor converts or computes it: elsewhere LLVM calls a routine for every number."""
        converts = target.arch == "aarch64" or "f16c" in target.isa
        return ("fp32", "fp16", "int8") if converts else ("fp32", "int8")

    def ir_variant(self, variant: str) -> str:
        """fp16 is made from the fp32 model by Relax's own pass, which keeps the sums of products in fp32."""
        return "fp32" if variant == "fp16" else variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[str, ...]:
        """Relax has no loops over tensors that its ONNX frontend could make of them."""
        return ("unroll", "fold-constants") if {"Loop", "Scan"} & set(model["operators"]) else ()

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        """By target and operator; `model` is what the describe operation says of the IR."""
        found = []
        if target.triple not in _PLATFORMS:
            found.append(Refusal(f"there is no build of TVM's runtime for {target.triple}"))
        if variant not in self.variants(target):
            found.append(Refusal(f"no {variant} code of use can be generated for {target.arch}"))
        known = _coverage()
        for name in sorted(model.get("operators", {})):
            domain, _, op = name.rpartition("::")
            if domain not in ("", "ai.onnx") or op not in known["operators"]:
                node = next((each["name"] for each in model.get("nodes", ()) if each["op"] == name), None)
                found.append(Refusal(f"{known['tool']} does not import {name}", node=node or None, op=name))
        return found

    def compile_call(self, target: Target, variant: str) -> Call:
        """ir -> artifact. Raises KeyError for a target that `refusals` names."""
        zig, wheels = _PLATFORMS[target.triple]
        params = {
            "arch": target.arch,
            "llvm": {"kind": "llvm", "mtriple": target.triple, **target.options.get("tvm", {})},
            "target": target.name,
            "variant": variant,
            "wheels": wheels,
            "zig": zig,
        }
        return Call("tvm", _COMPILER, "compile", params, resources=(wheels,) if wheels else ())

    def run_call(self, target: Target, variant: str) -> Call | None:
        """artifact, samples -> outputs, by the artefact's own program: no Python and no TVM but what it brings."""
        del variant
        worker = _HERE / "execute.py"
        if target.triple not in _PLATFORMS:
            return None
        if target.runner == "native":
            return Call("base", worker, "run", {"execution": "native"})
        if target.runner != "qemu-user" or target.root is None or target.arch not in _EMULATOR:
            return None
        params = {
            "cpu": target.emulator_cpu or "max",
            "emulator": _EMULATOR[target.arch],
            "execution": "qemu",
            "multiarch": _MULTIARCH[target.arch],
            "root": target.root,
        }
        return Call("base", worker, "run", params, resources=("qemu-user", target.root))

    def timing_call(self, target: Target, variant: str) -> Call | None:
        """Inside the compiler's own toolchain, so only where that is of the target's architecture."""
        del variant
        if target.runner != "native" or target.arch != "x86_64":
            return None
        return Call("tvm", _HERE / "timing.py", "time", {"threads": 1}, stage_class="hardware")


@cache
def _coverage() -> Any:
    return json.loads((_HERE / "operators.json").read_text(encoding="utf-8"))
