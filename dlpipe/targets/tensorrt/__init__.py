"""TensorRT for RTX, whose engines are built without the GPU they are for, and TensorRT, which builds on that GPU."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, nvidia

_HERE = Path(__file__).parent
_WORKER = _HERE / "worker.py"
_TUNER = _HERE / "tuner.py"
_LOCK = _HERE / "toolchain.lock"
_WRITTEN_OUT = ("Swish",)  # which its parser lacks


class TensorRtRtx:
    name = "tensorrt-rtx"
    summary = "NVIDIA TensorRT for RTX: engines built ahead of time, for a GPU that need not be here"
    kind = "rtx"

    def variants(self, target: Target) -> tuple[str, ...]:
        del target
        return ("fp32", "fp16", "int8")

    def ir_variant(self, variant: str) -> str:
        """Networks are strongly typed: what the ONNX model says is what is computed."""
        return variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        composed = [name for name in _WRITTEN_OUT if name in model["operators"]]
        return (Lowering("decompose", {"operators": composed}),) if composed else ()

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        found = self._of_target(target)
        if variant not in self.variants(target):
            found.append(Refusal(f"{self.name} makes no {variant} engine"))
        known = _coverage()
        for name in sorted(model.get("operators", {})):
            domain, _, op = name.rpartition("::")
            if domain not in ("", "ai.onnx") or op not in known["operators"]:
                found.append(Refusal(f"the ONNX parser of {known['tool']} does not take {name}", op=name))
        return found

    def _of_target(self, target: Target) -> list[Refusal]:
        capability = nvidia.capability(target)
        if capability is None:
            return [Refusal(f"{self.name} is for NVIDIA GPUs, and {target.name} is none")]
        made = _coverage()["capabilities"]
        if capability not in made:
            known = ", ".join(made)
            return [Refusal(f"{self.name} builds for compute capability {known}, and not for {capability}")]
        return []

    def compile_call(self, target: Target, variant: str) -> Call:
        capability = nvidia.capability(target)
        params = {"capability": capability, "kind": self.kind, "target": target.name, "variant": variant}
        params["needs"] = f"it needs an NVIDIA GPU of compute capability {capability}, and this machine has none"
        return self._call("compile", params)

    def run_call(self, target: Target, variant: str) -> Call | None:
        """artifact, samples -> outputs, on a GPU of just that compute capability, where there is one."""
        del variant
        if not nvidia.is_here(target):
            return None
        return self._call("run", {"capability": nvidia.capability(target), "kind": self.kind})

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if not nvidia.is_here(target):
            return None
        params = {"capability": nvidia.capability(target), "kind": self.kind}
        return self._call("time", params, stage_class="hardware")

    def _call(self, operation: str, params: Mapping[str, Any], **more: Any) -> Call:
        return Call(self.name, _WORKER, operation, params, libraries=(KIT,), **more)


class TensorRt(TensorRtRtx):
    name = "tensorrt"
    summary = "NVIDIA TensorRT: engines built on the GPU that they are for, which times its kernels meanwhile"
    kind = "full"

    def _of_target(self, target: Target) -> list[Refusal]:
        if nvidia.capability(target) is None:
            return [Refusal(f"{self.name} is for NVIDIA GPUs, and {target.name} is none")]
        if not nvidia.is_here(target):
            hint = "tensorrt-rtx builds without one, for some GPUs"
            return [Refusal(f"TensorRT times its kernels while it builds: {nvidia.needed(target)}", hint=hint)]
        return []

    def compile_call(self, target: Target, variant: str) -> Call:
        """Which kernels are the fastest is found out on the GPU: another build may choose others."""
        capability = nvidia.capability(target)
        params = {"capability": capability, "kind": self.kind, "target": target.name, "variant": variant, "needs": None}
        return self._call("compile", params, stage_class="hardware")

    def why_not_tuned(self, target: Target) -> str | None:
        return None if nvidia.is_here(target) else f"the search times kernels on the GPU: {nvidia.needed(target)}"

    def tuned_for(self, target: Target) -> Mapping[str, Any]:
        """A cache of times holds for one version on one GPU, and TensorRT refuses another's."""
        toolchain = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
        return {"tool": "tensorrt", "toolchain": toolchain, "capability": nvidia.capability(target)}

    def workloads_call(self, target: Target, variant: str) -> Call:
        del target, variant
        return Call(self.name, _TUNER, "workloads", {}, libraries=(KIT,))

    def tune_call(self, target: Target, variant: str, *, budget: float, seconds: float) -> Call:
        """ir, records -> `records.json`, in one round."""
        asked = {"budget": budget, "seconds": seconds, "variant": variant, "capability": nvidia.capability(target)}
        return Call(self.name, _TUNER, "tune", asked, libraries=(KIT,), stage_class="hardware")


@cache
def _coverage() -> Any:
    return json.loads((_HERE / "operators.json").read_text(encoding="utf-8"))
