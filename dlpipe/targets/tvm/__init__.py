"""TVM (Relax): native code for one processor, run by a small program of ours, without Python."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dlpipe.contracts.backend import Lowering, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.targets import KIT, nvidia, preflight
from dlpipe.targets.emulation import opencl_run
from dlpipe.targets.lowering import written_out

_HERE = Path(__file__).parent
_COMPILER = _HERE / "worker.py"
_TUNER = _HERE / "tuner.py"
_RULE = 2  # to be counted up when the rule in scheduling.py gives other loops: gains are measured against it
# Linux triple -> zig's name of it (the oldest C library that TVM's wheels run on), and the toolchain that holds TVM's
# libraries for it: x86-64 uses those of the compiler's own toolchain.
_PLATFORMS = {
    "x86_64-linux-gnu": ("x86_64-linux-gnu.2.28", None),
    "aarch64-linux-gnu": ("aarch64-linux-gnu.2.28", "tvm-aarch64"),
}
_NO_RUNTIME = (
    "no package holds TVM's runtime for {}: apache-tvm and apache-tvm-ffi are built for x86-64 and arm64 Linux, and "
    "the sources in them lack headers (tvm/support/io.h, serializer.h)"
)
_EMULATOR = {"aarch64": "qemu-aarch64"}
_GPU = _HERE / "gpu.py"
_GPU_HOST = {"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "x86-64-v2"}
_WRITTEN_OUT = ("Attention", "RotaryEmbedding", "Swish")  # which its frontend lacks
_SLICES = 13  # the operator set whose Slice its frontend reads: before 10 its places were attributes
_MULTIARCH = {"aarch64": "aarch64-linux-gnu"}


class Tvm:
    name = "tvm"
    summary = "Apache TVM: Relax, compiled to machine code ahead of time; --tune searches for faster loops"
    machine_code = ("model.so", "runner")
    source_only = ("opencl",)

    def variants(self, target: Target) -> tuple[str, ...]:
        """fp16 only where the processor converts or computes it: elsewhere LLVM calls a routine for every number."""
        if target.arch == "opencl":
            return ("fp32",)  # halves are an extension there
        if target.arch == "cuda":
            return ("fp32", "fp16")
        converts = target.arch == "aarch64" or "f16c" in target.isa
        return ("fp32", "fp16", "int8") if converts else ("fp32", "int8")

    def ir_variant(self, variant: str) -> str:
        """fp16 is made from the fp32 model by Relax's own pass, which keeps the sums of products in fp32."""
        return "fp32" if variant == "fp16" else variant

    def lowering(self, model: Mapping[str, Any]) -> tuple[Lowering, ...]:
        """Relax has no loops over tensors that its ONNX frontend could make of them, and not every operator."""
        old = "Slice" in model["operators"] and (model.get("opset") or _SLICES) < _SLICES
        return written_out(model, _WRITTEN_OUT, before=[Lowering("opset", {"version": _SLICES})] if old else ())

    def refusals(self, target: Target, variant: str, model: Mapping[str, Any]) -> list[Refusal]:
        """By target and operator; `model` is what the describe operation says of the IR."""
        found = []
        if target.triple not in _PLATFORMS and target.arch != "opencl" and nvidia.capability(target) is None:
            found.append(Refusal(_NO_RUNTIME.format(target.triple or target.arch)))
        if variant not in self.variants(target):
            found.append(Refusal(f"no {variant} code of use can be generated for {target.arch}"))
        known = _coverage()
        return [*found, *preflight.unknown_operators(model, known["operators"], known["tool"] + " does not import {}")]

    def compile_call(self, target: Target, variant: str) -> Call:
        """ir -> artifact. Raises KeyError for a target that `refusals` names."""
        if nvidia.capability(target) is not None:
            return _gpu_compile_call(target, variant)
        if target.arch == "opencl":
            asked = {"target": target.name, "variant": variant}
            return Call("tvm", _HERE / "opencl.py", "compile", asked, libraries=(KIT,))
        zig, wheels = _PLATFORMS[target.triple]
        params = {
            "arch": target.arch,
            "llvm": _llvm(target),
            "target": target.name,
            "variant": variant,
            "wheels": wheels,
            "zig": zig,
        }
        return Call("tvm", _COMPILER, "compile", params, resources=(wheels,) if wheels else ())

    def why_not_tuned(self, target: Target) -> str | None:
        """The search measures on the target, and knows the vector instructions of x86 only."""
        if target.kind != "cpu":
            return f"the search is for processors, and {target.name} is none"
        if target.arch != "x86_64":
            return f"the search measures on the target: it needs a board ({target.arch}), and this machine is none"
        return None if target.runner == "native" else "the search measures on the target: " + target.notes[-1]

    def tuned_for(self, target: Target) -> Mapping[str, Any]:
        return {"tool": _coverage()["tool"], "llvm": _llvm(target), "rule": _RULE}

    def workloads_call(self, target: Target, variant: str) -> Call:
        """ir -> value: the operators, as loops."""
        return Call("tvm", _TUNER, "workloads", {"llvm": _llvm(target), "variant": variant})

    def tune_call(self, target: Target, variant: str, *, budget: float, seconds: float) -> Call:
        """ir, records -> `records.json`."""
        params = {"budget": budget, "llvm": _llvm(target), "seconds": seconds, "variant": variant}
        return Call("tvm", _TUNER, "tune", params, stage_class="hardware")

    def run_call(self, target: Target, variant: str) -> Call | None:
        """artifact, samples -> outputs, by the artefact's own program: no Python and no TVM but what it brings. On a
        GPU by TVM's Python."""
        del variant
        if nvidia.is_here(target):
            return Call("tvm-cuda", _GPU, "run", libraries=(KIT,))
        if target.arch == "opencl" and target.runner == "simulator":
            return opencl_run(_HERE / "opencl_model.py", "core", KIT / "opencl.py")
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
        if nvidia.is_here(target):
            return Call("tvm-cuda", _GPU, "time", libraries=(KIT,), stage_class="hardware")
        if target.runner != "native" or target.arch != "x86_64":
            return None
        return Call("tvm", _HERE / "timing.py", "time", {"threads": 1}, stage_class="hardware")


def _gpu_compile_call(target: Target, variant: str) -> Call:
    """Kernels for a GPU that need not be here, and host code for x86-64."""
    capability = str(nvidia.capability(target))
    params = {
        "architecture": "sm_" + capability.replace(".", ""),
        "capability": capability,
        "llvm": _GPU_HOST,
        "needs": f"it needs an NVIDIA GPU of compute capability {capability}, and this machine has none",
        "target": target.name,
        "variant": variant,
        "zig": _PLATFORMS["x86_64-linux-gnu"][0],
    }
    return Call("tvm-cuda", _GPU, "compile", params, libraries=(KIT,))


def _llvm(target: Target) -> dict[str, Any]:
    """TVM's description of the processor."""
    return {"kind": "llvm", "mtriple": target.triple, **target.options.get("tvm", {})}


@cache
def _coverage() -> Any:
    return json.loads((_HERE / "operators.json").read_text(encoding="utf-8"))
