"""ONNX Runtime on a CPU: in ORT format for phones and boards, as ONNX for x86."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT
from dlpipe.targets.emulation import emulated_run

_HERE = Path(__file__).parent
_PACKAGES = {"aarch64": "onnxruntime-aarch64", "riscv64": "onnxruntime-riscv64"}


class OnnxRuntime:
    name = "onnxruntime"
    summary = "ONNX Runtime, CPU kernels"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target  # the same everywhere: fp16 saves size even where its kernels compute in fp32
        return ("fp32", "fp16", "int8", "int4")

    def ir_variant(self, variant: str) -> str:
        return variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        """It takes loops and composed operators as they are; but it has no kernel for Swish, and has one for what that
        is written out."""
        return (Lowering("decompose", {"operators": ["Swish"]}),) if "Swish" in model["operators"] else ()

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        """By operator and opset; `model` is what the describe operation says of the IR."""
        del target, variant
        known = _coverage()
        found = []
        for domain, version in dict(model.get("opsets", {})).items():
            if domain in ("", "ai.onnx") and version > known["opset"]:
                found.append(
                    Refusal(f"opset {version}, and this ONNX Runtime ends at {known['opset']}", hint="export it lower")
                )
        for name in sorted(model.get("operators", {})):
            domain, _, op = name.rpartition("::")
            if op not in known["operators"].get("" if domain == "ai.onnx" else domain, ()):
                found.append(Refusal(f"no CPU kernel for {name}", op=name))
        return found

    def compile_call(self, target: Target, variant: str) -> Call:
        params = {
            "arch": target.arch,
            "format": _format(target, variant),
            "target": target.name,
            "variant": variant,
        }
        return Call("core", _HERE / "worker.py", "compile", params, libraries=(KIT,))

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner == "native":
            return Call("core", _HERE / "worker.py", "run", {"machine": target.arch}, libraries=(KIT,))
        packages = _PACKAGES.get(target.arch)
        return None if packages is None else emulated_run(target, _HERE / "guest.py", packages)

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "native":
            return None
        return Call("core", _HERE / "worker.py", "time", {"threads": 1}, libraries=(KIT,), stage_class="hardware")


def _format(target: Target, variant: str) -> str:
    """ORT format has the graph's optimisation behind it, which suits a phone; and it is this machine's optimisation:

    - x86 layouts (NCHWc) are chosen when ONNX is loaded, and never for an .ort file, which would run slower there;
    - fp16 would be turned into fp32 for good, since the kernels of the machine that converts cannot compute it.
    """
    return "onnx" if target.arch == "x86_64" or variant == "fp16" else "ort"


@cache
def _coverage() -> Any:
    return json.loads((_HERE / "operators.json").read_text(encoding="utf-8"))
