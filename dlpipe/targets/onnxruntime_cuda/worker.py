"""IR -> an ONNX model for ONNX Runtime's CUDA kernels (in the core toolchain), and its execution on an NVIDIA GPU."""

import shutil
from pathlib import Path

import onnxruntime as ort
from dlpipe_worker import Request, operation

from ..kit import artifact, operations
from ..kit.onnx_runtime import refusing
from . import session


@operation
def compile_(request: Request) -> object:
    """ir -> `model.onnx`, run.json, run.py, LICENSES/. params: capability ("8.6"), target, variant, needs (what is
    missing to execute it, in words)."""
    ir, out = Path(request.inputs["ir"]), Path(request.out)
    for file in sorted(ir.glob("model.onnx*")):
        shutil.copyfile(file, out / file.name)
    _check(out / "model.onnx")
    contract = artifact.contract(request)
    artifact.describe(
        request,
        "onnxruntime-cuda",
        ("onnxruntime-gpu", ort.__version__),
        "model.onnx",
        (contract["inputs"], contract["outputs"]),
        capability=request.params["capability"],
    )
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    artifact.licences(request, "onnxruntime")
    return {"tool": "onnxruntime " + ort.__version__, "entry": "model.onnx", "not_executed": request.params["needs"]}


def _check(model: Path) -> None:
    """It loads, on the CPU: what no kernel takes is told now, and not on the machine with the GPU."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    with refusing():
        ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, on this machine's GPU. params: capability."""
    answer = operations.run(request, session.Model)
    return {**answer, "ran_on": f"device:{answer['device']} (sm_{answer['capability'].replace('.', '')})"}


@operation
def time_(request: Request) -> object:
    """artifact, samples -> seconds of each run of the first sample, with its way to the GPU and back. params: handle,
    warmup, runs."""
    return operations.time(request, session.Model)
