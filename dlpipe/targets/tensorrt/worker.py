"""IR -> an engine of TensorRT, and its execution on an NVIDIA GPU. Runs in the toolchain of either kind."""

import shutil
from pathlib import Path
from typing import Any

import onnx
from dlpipe_worker import Request, operation

from ..kit import artifact, cuda, operations
from . import building, engine, loading, tuner

_CODE = Path(__file__).parent
_LICENCES = {"rtx": ("tensorrt-rtx-cu13-libs",), "full": ("tensorrt-cu13-bindings",)}
_TF32 = "float32 is computed as such: TF32, which TensorRT would use by default, is off"


@operation
def compile_(request: Request) -> object:
    """ir, records (only after a search) -> `model.engine`, run.json, run.py with what it imports, LICENSES/.

    params: kind ("rtx": for a GPU that need not be here, "full": on the GPU itself), capability ("8.6"), target,
    variant, needs (what is missing to execute it, in words).
    """
    params, out = request.params, Path(request.out)
    capability, kind = params["capability"], params["kind"]
    if kind == "full":
        cuda.Device().must_be(capability)
    trt, tool = loading.load(kind)
    request.progress("building", 0.1)
    made = building.engine(
        trt, Path(request.inputs["ir"]), capability if kind == "rtx" else None, tuner.effort_of(request)
    )
    (out / "model.engine").write_bytes(made)
    name, _, version = tool.partition(" ")
    contract = artifact.contract(request)
    artifact.describe(
        request,
        name,
        (name, version),
        "model.engine",
        (contract["inputs"], contract["outputs"]),
        capability=capability,
        kind=kind,
    )
    artifact.sample_program(request, _CODE / "sample_run.py")
    for source in (Path(cuda.__file__), _CODE / "loading.py"):
        shutil.copyfile(source, out / source.name)
    artifact.licences(request, *_LICENCES[kind])
    if params["variant"] == "fp32":
        request.note(_TF32)
    return {"tool": tool, "entry": "model.engine", "not_executed": params["needs"]}


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, on this machine's GPU. params: capability."""
    answer = operations.run(request, engine.Model)
    return {**answer, "ran_on": f"device:{answer['device']} (sm_{answer['capability'].replace('.', '')})"}


@operation
def time_(request: Request) -> object:
    """artifact, samples -> seconds of each run of the first sample, with its way to the GPU and back. params: handle,
    warmup, runs."""
    return operations.time(request, engine.Model)


@operation
def coverage(_request: Request) -> object:
    """What TensorRT for RTX takes: {"tool", "capabilities": ["7.5", ...], "operators": [names]}: operators.json."""
    trt, tool = loading.load("rtx")
    log: Any = building.logger(trt)
    builder = trt.Builder(log)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, log)
    names = {schema.name for schema in onnx.defs.get_all_schemas_with_history() if schema.domain == ""}
    found = [name.removeprefix("SM") for name in dir(trt.ComputeCapability) if name.startswith("SM")]
    return {
        "tool": tool,
        "capabilities": [f"{each[:-1]}.{each[-1]}" for each in sorted(found, key=int)],
        "operators": sorted(name for name in names if parser.supports_operator(name)),
    }
