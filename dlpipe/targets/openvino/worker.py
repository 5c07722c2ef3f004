"""IR of dlpipe (ONNX) -> OpenVINO's IR, and its execution on this machine. Runs in the openvino toolchain."""

import re
import tempfile
import time
from pathlib import Path
from typing import Any

import openvino
from dlpipe_worker import Refused, Request, operation

from ..kit import artifact, operations
from . import covering, guest, naming

_NODE = re.compile(r"While validating ONNX node '<Node\((\w+)\): ([^>]*)>'")
_LACKS = re.compile(r"No conversion rule found for operations: ([\w.]+?)(-\d+)?[,\s]")
# Lines that say where in its own source something was noticed, or that it was.
_CHATTER = re.compile(
    r"^(Exception from |Check '.*' failed at |While validating |FrontEnd API failed |Model wasn't |-- |Summary:"
    r"|To facilitate )"
)


@operation
def compile_(request: Request) -> object:
    """ir -> model.xml, model.bin, run.json, run.py, run.c, LICENSES/. With `blob`, also model.blob: the model as it is
    compiled for the device of this machine, which is what is run then.

    params: target, variant, device (CPU, GPU or NPU), precision (f32, f16 or bf16: what it shall compute in), blob.
    """
    out, params = Path(request.out), request.params
    contract = artifact.contract(request)
    core, properties = openvino.Core(), _properties(params)
    try:
        model = core.read_model(str(Path(request.inputs["ir"], "model.onnx")))
        naming.name(model)
        openvino.save_model(model, str(out / "model.xml"), compress_to_fp16=params["variant"] == "fp16")
        naming.name_bodies(out / "model.xml")
        core.compile_model(str(out / "model.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    except RuntimeError as error:
        raise _refused(str(error)) from error
    entry, why_not = "model.xml", None
    try:
        compiled = core.compile_model(str(out / "model.xml"), params["device"], properties)
        guest.check(compiled, params["device"], properties)
    except RuntimeError as error:
        device, said = params["device"], _told(str(error))
        why_not = said if device == "CPU" else f"there is no {device} here that OpenVINO can use: {said}"
    else:
        if params["blob"]:
            entry = "model.blob"
            (out / entry).write_bytes(compiled.export_model().getvalue())
    artifact.describe(
        request,
        "openvino",
        ("openvino", guest.VERSION),
        entry,
        (contract["inputs"], contract["outputs"]),
        device=params["device"],
        properties=properties,
    )
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    (out / "run.c").write_text(_calling_from_c(params), encoding="utf-8")
    artifact.licences(request, "openvino")
    if params["variant"] == "fp16" and params["precision"] == "f32":
        request.note("fp16 saves size here, not time: OpenVINO computes in fp32 on this target")
    return {"tool": guest.Model.tool, "entry": entry, "not_executed": why_not}


def _properties(params: Any) -> dict[str, str]:
    """Said outright: what it does by itself depends on the processor, and a compiled blob does not hold it."""
    properties = {"INFERENCE_PRECISION_HINT": params["precision"]}
    if params["device"] == "CPU":
        properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "0"  # it would round activations which the model has in floats
    return properties


def _calling_from_c(params: Any) -> str:
    library = next(Path(openvino.__file__).parent.glob("libs/libopenvino_c.so*")).name
    text = Path(__file__).with_name("sample_run.c").read_text(encoding="utf-8")
    for name, value in {"device": params["device"], "precision": params["precision"], "library": library}.items():
        text = text.replace(f"@{name}@", value)
    return text


def _refused(said: str) -> Refused:
    """OpenVINO tells every node that it could not take; the first is named."""
    lacks, node = _LACKS.search(said), _NODE.search(said)
    if lacks is not None:
        return Refused(f"OpenVINO does not import {lacks[1]}", kind="unsupported", op=lacks[1])
    where = {"op": node[1], "node": node[2]} if node is not None else {}
    return Refused(f"OpenVINO does not take the model: {_told(said)}", kind="unsupported", **where)


def _told(said: str) -> str:
    """The last line of an error that says what is wrong, without the folders of this machine."""
    lines = [_NODE.sub("", line).lstrip(": ").strip() for line in said.splitlines()]
    telling = [line for line in lines if line and not _CHATTER.match(line)]
    return re.sub(r'"?/\S*/([^/\s"]+)"?', r"\1", telling[-1] if telling else said.strip())[:400]


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, on the device of this machine. params: machine, for a CPU."""
    answer = operations.run(request, guest.Model)
    device = answer["devices"][0]
    return answer if device == "CPU" else {**answer, "ran_on": f"device:{device}"}


@operation
def time_(request: Request) -> object:
    """artifact, samples -> seconds of each run of the first sample. params: handle, warmup, runs, threads.

    When it is loaded for this, it is also loaded as a later process would do it, which finds what was compiled before.
    """
    answer = operations.time(request, guest.Model)
    return answer | {"warm_load_seconds": _warm_load(request)} if answer["loaded"] else answer


def _warm_load(request: Request) -> float:
    with tempfile.TemporaryDirectory() as cache:
        guest.Model(request.inputs["artifact"], cache=cache)
        started = time.perf_counter()
        guest.Model(request.inputs["artifact"], cache=cache)
        return time.perf_counter() - started


@operation
def coverage(request: Request) -> object:
    """Which of params["operators"] (domain -> operators) its ONNX frontend imports: {"tool", "opset", "operators"}."""
    operators = request.params["operators"]
    return {"tool": guest.Model.tool, "opset": covering.opset(), "operators": covering.imported(operators)}
