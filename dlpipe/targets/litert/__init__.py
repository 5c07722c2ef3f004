"""LiteRT (TensorFlow Lite): one .tflite file for phones and boards, written from the IR without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, TFLITE
from dlpipe.targets.emulation import emulated_run
from dlpipe.targets.tflite import accepting

_HERE = Path(__file__).parent
_PACKAGES = {"aarch64": "litert-aarch64", "armv7l": "litert-armv7l"}


class LiteRt:
    name = "litert"
    summary = "LiteRT (TensorFlow Lite), with the XNNPACK delegate"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("fp32", "fp16", "int8")

    def ir_variant(self, variant: str) -> str:
        """fp16 is how the file holds weights: the fp32 model's are halved as they are written. The int8 model keeps
        the very scales that were measured."""
        return "fp32" if variant == "fp16" else variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        return accepting.lowering(model)

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        if target.kind != "cpu":
            return [Refusal(f"{target.name} is no processor: LiteRT's files are made for CPU kernels here")]
        if variant not in self.variants(target):
            return [Refusal(f"no {variant} kernels: LiteRT's files hold fp32, fp16 weights or int8")]
        return accepting.refusals(model)

    def compile_call(self, target: Target, variant: str) -> Call:
        params = {"arch": target.arch, "target": target.name, "variant": variant}
        return Call("tflite", _HERE / "worker.py", "compile", params, libraries=(KIT, TFLITE))

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner == "native":
            return Call("tflite", _HERE / "worker.py", "run", {"machine": target.arch}, libraries=(KIT, TFLITE))
        packages = _PACKAGES.get(target.arch)
        return None if packages is None else emulated_run(target, _HERE / "guest.py", packages)

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "native":
            return None
        libraries = (KIT, TFLITE)
        return Call("tflite", _HERE / "worker.py", "time", {"threads": 1}, libraries=libraries, stage_class="hardware")
