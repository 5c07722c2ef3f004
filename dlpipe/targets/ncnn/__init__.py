"""ncnn: small networks on phones and boards, from ONNX by pnnx.

A program in C++ needs ncnn's headers and library, which its Python package does not bring (it exports none of the
library's symbols), nor does Debian: `run.py` is the sample, and `preprocess.h` serves a program of one's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, preflight
from dlpipe.targets.emulation import emulated_run, vulkan_run
from dlpipe.targets.lowering import written_out
from dlpipe.toolchains.jail import devices

_HERE = Path(__file__).parent

# What pnnx is known to fail on. Most operators can be judged only by converting: it folds and fuses before it maps.
_REFUSED = {
    "If": "ncnn's graphs have no branches",
    "Loop": "ncnn's graphs have no loops",
    "Scan": "ncnn's graphs have no loops",
    "SequenceAt": "ncnn has no sequences",
    "SequenceConstruct": "ncnn has no sequences",
    "NonMaxSuppression": "ncnn has no outputs of unknown size",
    "NonZero": "ncnn has no outputs of unknown size",
}
_WHEELS = {"aarch64": "ncnn-aarch64", "armv7l": "ncnn-armv7l", "riscv64": "ncnn-riscv64"}
_WRITTEN_OUT = ("Attention", "RotaryEmbedding")  # which ncnn has no layer for
_NORMS = ("LayerNormalization", "RMSNormalization")


class Ncnn:
    name = "ncnn"
    summary = "ncnn, converted by pnnx"

    def variants(self, target: Target) -> tuple[str, ...]:
        """bf16 is how ncnn holds weights and activations when it runs; the file holds fp32."""
        return ("fp32", "fp16") if target.kind == "gpu" else ("fp32", "fp16", "bf16")

    def ir_variant(self, variant: str) -> str:
        """pnnx halves the weights itself, and reads fp32 only."""
        return "fp32" if variant in ("fp16", "bf16") else variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        nodes = model.get("nodes", ())
        norms = [name for name in _NORMS if any(each["op"] == name and not _is_plain(each) for each in nodes)]
        return written_out(model, (*_WRITTEN_OUT, *norms))

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        del target
        if variant == "int8":
            return [Refusal("ncnn's packages hold no tool that makes int8 models (ncnn2int8)")]
        return list(preflight.operators(model, _REFUSED))

    def compile_call(self, target: Target, variant: str) -> Call:
        params = {"target": target.name, "variant": variant, "vulkan": target.kind == "gpu"}
        return Call("ncnn", _HERE / "worker.py", "compile", params, libraries=(KIT,))

    def run_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner == "native":
            return Call("ncnn", _HERE / "worker.py", "run", {"machine": target.arch}, libraries=(KIT,))
        if target.arch == "vulkan" and target.runner == "simulator":
            return vulkan_run(_HERE / "guest.py", "ncnn", _HERE / "vulkan.py")
        if target.arch == "vulkan":
            return Call("ncnn-gpu", _HERE / "worker.py", "run", libraries=(KIT,)) if _has_gpu(target) else None
        wheels = _WHEELS.get(target.arch)
        return emulated_run(target, _HERE / "guest.py", wheels, _HERE / "vulkan.py") if wheels else None

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if target.runner != "native" and not _has_gpu(target):
            return None
        toolchain = "ncnn" if target.runner == "native" else "ncnn-gpu"
        return Call(toolchain, _HERE / "worker.py", "time", {"threads": 1}, libraries=(KIT,), stage_class="hardware")


def _has_gpu(target: Target) -> bool:
    """Whether there may be a Vulkan device for it here: only the driver knows, and the run reads back what it was."""
    return target.arch == "vulkan" and target.runner == "device" and bool(devices.nodes(["vulkan"]))


def _is_plain(norm: Mapping[str, Any]) -> bool:
    """Over the last axis alone (with more, what pnnx makes computes something else), and for a layer norm with an
    offset (without one pnnx makes a layer that ncnn does not have)."""
    shape = norm["inputs"][0]["shape"]
    last = (-1,) if shape is None else (-1, len(shape) - 1)
    whole = norm["op"] == "RMSNormalization" or (len(norm["inputs"]) > 2 and norm["inputs"][2]["name"] != "")
    return whole and norm["attributes"].get("axis", -1) in last
