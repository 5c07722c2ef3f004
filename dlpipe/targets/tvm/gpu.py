"""IR -> a model for an NVIDIA GPU, its kernels compiled ahead of time, and its execution. Runs in tvm-cuda."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tvm
from dlpipe_worker import Refused, Request, operation
from tvm import relax
from tvm.s_tir import dlight

from ..kit import artifact, operations
from . import gpu_model, importing, linking, nvrtc

_UNTUNED = "untuned: kernels are arranged by TVM's fixed rules for GPUs (dlight), not by a search on one"
# What the rules ask of a GPU; every one since compute capability 7.5 has it.
_LIMITS = {
    "max_num_threads": 1024,
    "max_shared_memory_per_block": 49152,
    "max_threads_per_block": 1024,
    "thread_warp_size": 32,
}


@operation
def compile_(request: Request) -> object:
    """ir -> `model.so` (host code and weights), `kernels.cubin`, `kernels.cu`, run.json, run.py, LICENSES/.

    params: architecture ("sm_86"), capability ("8.6"), llvm (TVM's description of the host), target, variant, zig,
    needs (what is missing to execute it, in words).
    """
    params, out = request.params, Path(request.out)
    model = importing.load(str(Path(request.inputs["ir"]) / "model.onnx"))
    inputs, outputs = importing.inputs(model), importing.ports(list(model.graph.output))
    module = importing.to_relax(model, params["variant"])
    target = tvm.target.Target(
        {"kind": "cuda", "arch": params["architecture"], **_LIMITS}, host=tvm.target.Target(params["llvm"])
    )
    request.progress("compiling", 0.2)
    executable = _compile(module, target)
    source = next((each.inspect_source() for each in _imported(executable.mod) if each.kind == "cuda"), None)
    if source is None:
        raise Refused("there is nothing in the model for a GPU to compute", kind="unsupported")
    request.progress("compiling kernels", 0.5)
    (out / "kernels.cubin").write_bytes(nvrtc.cubin(source, params["architecture"]))
    (out / "kernels.cu").write_text(source, encoding="utf-8")
    zig = params["zig"]
    executable.export_library(
        str(out / "model.so"), fcompile=lambda path, objects, **_: linking.shared_library(zig, Path(path), objects)
    )
    artifact.describe(
        request,
        "tvm",
        ("apache-tvm", tvm.__version__),
        "model.so",
        (inputs, outputs),
        capability=params["capability"],
        kernels="kernels.cubin",
        tuned=False,
    )
    artifact.sample_program(request, Path(__file__).with_name("sample_gpu.py"))
    artifact.licences(request, "apache-tvm", "apache-tvm-ffi")
    request.note(_UNTUNED)
    tool = f"apache-tvm {tvm.__version__}"
    return {"tool": tool, "entry": "model.so", "tuned": False, "not_executed": params["needs"]}


def _compile(module: Any, target: Any) -> Any:
    rules = dlight.gpu
    with target:
        module = relax.get_pipeline("zero")(module)
        module = dlight.ApplyDefaultSchedule(
            rules.Matmul(), rules.GEMV(), rules.Reduction(), rules.GeneralReduction(), rules.Fallback()
        )(module)
        return tvm.compile(module, target=target)


def _imported(module: Any) -> Iterator[Any]:
    for each in module.imports:
        yield each
        yield from _imported(each)


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, on this machine's GPU."""
    answer = operations.run(request, gpu_model.Model)
    return {**answer, "ran_on": f"device:{answer['device']} (sm_{answer['capability'].replace('.', '')})"}


@operation
def time_(request: Request) -> object:
    """artifact, samples -> seconds of each run of the first sample, with its way to the GPU and back. params: handle,
    warmup, runs."""
    return operations.time(request, gpu_model.Model)
