"""ONNX Runtime on an NVIDIA GPU, by its CUDA kernels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, nvidia

_WORKER = Path(__file__).with_name("worker.py")
_TOOLCHAIN = "onnxruntime-cuda"
_OLDEST = 7.5  # of what CUDA 13 compiles for


class OnnxRuntimeCuda:
    name = "onnxruntime-cuda"
    summary = "ONNX Runtime, CUDA kernels; what has none of them is computed on the CPU, and said"

    def variants(self, target: Target) -> tuple[str, ...]:
        """No int8: its CUDA kernels turn quantised values into floats and compute with those."""
        del target
        return ("fp32", "fp16")

    def ir_variant(self, variant: str) -> str:
        return variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        return (Lowering("decompose", {"operators": ["Swish"]}),) if "Swish" in model["operators"] else ()

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        """By target and precision. Which operators have a CUDA kernel its library does not tell without a GPU."""
        del model
        capability = nvidia.capability(target)
        if capability is None:
            return [Refusal(f"CUDA kernels are for NVIDIA GPUs, and {target.name} is none")]
        if float(capability) < _OLDEST:
            return [Refusal(f"its CUDA kernels are for compute capability {_OLDEST} and later")]
        if variant not in self.variants(target):
            return [Refusal(f"its CUDA kernels compute no {variant}: quantised values are turned into floats")]
        return []

    def compile_call(self, target: Target, variant: str) -> Call:
        """ir -> the ONNX model, checked by the core toolchain; the graph is optimised where the GPU is."""
        capability = nvidia.capability(target)
        needs = f"it needs an NVIDIA GPU of compute capability {capability}, and this machine has none"
        params = {"capability": capability, "needs": needs, "target": target.name, "variant": variant}
        return Call("core", _WORKER, "compile", params, libraries=(KIT,))

    def run_call(self, target: Target, variant: str) -> Call | None:
        """artifact, samples -> outputs, on a GPU of just that compute capability, where there is one."""
        del variant
        if not nvidia.is_here(target):
            return None
        params = {"capability": nvidia.capability(target)}
        return Call(_TOOLCHAIN, _WORKER, "run", params, libraries=(KIT,))

    def timing_call(self, target: Target, variant: str) -> Call | None:
        del variant
        if not nvidia.is_here(target):
            return None
        return Call(_TOOLCHAIN, _WORKER, "time", {}, libraries=(KIT,), stage_class="hardware")
