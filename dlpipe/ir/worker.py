"""The common IR's operations. Runs in the core toolchain; every input and output is a folder."""

import json
import shutil
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from dlpipe_worker import Request, operation

from . import carried
from .arrays import npz
from .graph import checking, coverage, departing, describing, executing, files, generating, importing, scores, viewing
from .graph import golden as golden_
from .shipped import attaching

_SESSIONS: OrderedDict[str, tuple[Any, dict[str, Any], float]] = OrderedDict()  # of the timing operation
_OPEN_SESSIONS = 16


@operation
def import_onnx(request: Request) -> object:
    """source -> `model.onnx` (+ `model.onnx.data`), `contract.json`. params: entry ("." = the one .onnx in the folder),
    shapes (of inputs that have none in the file).

    Returns the contract. Raises Refused for anything that is not a valid ONNX model whose files are all there.
    """
    entry = request.params.get("entry", ".")
    shapes = request.params.get("shapes", {})
    return importing.import_model(Path(request.inputs["source"]), entry, Path(request.out), request.note, shapes)


@operation
def import_ort(request: Request) -> object:
    """The same, from a file in ONNX Runtime's own format."""
    source, entry = Path(request.inputs["source"]), request.params["entry"]
    return importing.import_ort(source, entry, Path(request.out), request.note)


@operation
def operators(request: Request) -> object:
    """Which of ONNX's operators can be executed: see `calls.operators_call`."""
    del request
    return coverage.coverage()


@operation
def check(request: Request) -> object:
    """ir -> nothing. Raises Refused with node and operator unless the model is valid, its names are defined, its
    shapes agree, its files lie in the folder and no tensor is declared larger than 4 GiB."""
    model = checking.check(Path(request.inputs["ir"]) / files.MODEL)
    return {"valid": True, "nodes": len(model.graph.node)}


@operation
def describe(request: Request) -> object:
    """ir -> {inputs, outputs: [{name, dtype, shape}], opset, opsets: {domain: version}, ir_version, producer,
    operators: {"Conv" or "domain::Op": count, nested graphs included}, node_count, nodes: [{name, op, inputs,
    outputs, attributes; of one with graphs inside also bodies: {operators, reads: values from around it}}] (the first
    2000), parameters, size_bytes, macs (None with macs_reason), bytes_moved and integer_macs (of a run, see
    `traffic.py`; None where they are not known), risks: [str], bounded: [names of outputs that are an
    activation's between -1 and 1]}."""
    return describing.describe(Path(request.inputs["ir"]))


@operation
def generate(request: Request) -> object:
    """ir -> `samples.npz`. params: count, seed, dims (symbolic dim -> size). Returns {count, labelled, dims}."""
    params = request.params
    arrays, dims = generating.generate(
        Path(request.inputs["ir"]), count=params["count"], seed=params["seed"], dims=params.get("dims", {})
    )
    npz.write(Path(request.out) / "samples.npz", arrays.items())
    count = len(next(iter(arrays.values()))) if arrays else params["count"]
    return {"count": count, "labelled": False, "dims": dims}


@operation
def run(request: Request) -> object:
    """ir, samples -> `outputs.npz`. params: threads (1), optimisation: none, basic, extended or all.

    A model in bfloat16 is emulated, and "tool" says so."""
    samples, tool = executing.run(
        _model_folder(request),
        Path(request.inputs["samples"]) / "samples.npz",
        Path(request.out) / "outputs.npz",
        threads=request.params.get("threads", 1),
        optimisation=request.params.get("optimisation", "all"),
        progress=lambda done: request.progress("running", done),
    )
    return {"tool": tool, "samples": samples}


@operation
def time_(request: Request) -> object:
    """ir, samples -> seconds of each run on the first sample. params: handle, warmup, runs, threads.

    The session stays open under the handle, so that the host can take turns between candidates.
    """
    params = request.params
    handle = params["handle"]
    first_seconds = None
    if handle not in _SESSIONS:
        _SESSIONS[handle] = _load(request)
        session, feed, _ = _SESSIONS[handle]
        first_seconds = executing.timed(session, feed, 1)[0]
        while len(_SESSIONS) > _OPEN_SESSIONS:
            _SESSIONS.popitem(last=False)
    _SESSIONS.move_to_end(handle)
    session, feed, load_seconds = _SESSIONS[handle]
    executing.timed(session, feed, params.get("warmup", 0))
    return {
        "seconds": executing.timed(session, feed, params["runs"]),
        "load_seconds": load_seconds,
        "first_seconds": first_seconds,
        "peak_rss": executing.peak_rss(),
        "tool": executing.TOOL,
    }


@operation
def golden(request: Request) -> object:
    """imported, golden -> `samples.npz`, `outputs.npz` from the user's reference.npz."""
    contract = json.loads((Path(request.inputs["imported"]) / "contract.json").read_bytes())
    samples, outputs = golden_.read(Path(request.inputs["golden"]) / "reference.npz", contract)
    npz.write(Path(request.out) / "samples.npz", samples.items())
    npz.write(Path(request.out) / "outputs.npz", outputs.items())
    return {"count": len(next(iter(outputs.values()))), "labelled": False, "tool": "given outputs"}


@operation
def depart(request: Request) -> object:
    """ir, samples, layers -> at which layer the model departs. params: layers (their names), tolerance."""
    return departing.find(
        Path(request.inputs["ir"]),
        Path(request.inputs["samples"]) / "samples.npz",
        Path(request.inputs["layers"]) / "layers.npz",
        request.params["layers"],
        request.params["tolerance"],
        Path(request.out),
    )


@operation
def view(request: Request) -> object:
    """ir, samples, and `before` unless it is the first model -> what people look at: see `viewing.view`."""
    before = request.inputs.get("before")
    samples = Path(request.inputs["samples"]) / "samples.npz"
    return viewing.view(Path(request.inputs["ir"]), Path(before) if before else None, samples, Path(request.out))


@operation
def carry(request: Request) -> object:
    """ir, source -> the IR with its pictures' preprocessing in the contract. See `carry_call`."""
    folder, part = Path(request.inputs["ir"]), request.params["part"]
    contract = json.loads((folder / "contract.json").read_text(encoding="utf-8"))
    pictures = [port["name"] for port in contract["inputs"] if len(port["shape"]) == 4]
    if part is None and len(pictures) == 1 and not contract["preprocessing"]:
        found = carried.read(Path(request.inputs["source"]))
        part = carried.part(pictures[0], *found) if found is not None else None
    if part is not None:
        others = [each for each in contract["preprocessing"] if each["kind"] != "picture"]
        contract["preprocessing"] = [*others, part]
    for path in sorted(folder.iterdir()):
        if path.name != "contract.json":
            request.hand_on("ir", path.name)
    files.write_json(Path(request.out) / "contract.json", contract)
    return {"summary": part["summary"] if part is not None else None}


@operation
def attach(request: Request) -> object:
    """artifact, ir -> the artefact with the IR's contract and preprocessing beside it, so that it can be fed. Folders
    of the IR, such as the log of a training, stay behind. params: labels (names of the classes; None: it is not for a
    user, and gets no more than this)."""
    ir, out, labels = Path(request.inputs["ir"]), Path(request.out), request.params["labels"]
    shutil.copytree(request.inputs["artifact"], out, dirs_exist_ok=True)
    for path in sorted(ir.iterdir()):
        if path.is_file() and path.name != files.MODEL and not path.name.startswith(files.DATA):
            shutil.copyfile(path, out / path.name)
    if labels is not None:
        contract = scores.told(ir / files.MODEL, json.loads((ir / "contract.json").read_text(encoding="utf-8")), labels)
        files.write_json(out / "contract.json", contract)
        attaching.attach(out, contract)
    return {}


def _model_folder(request: Request) -> Path:
    """`ir`, or the input that params["ir"] names: stages of a frontend call theirs `imported`."""
    return Path(request.inputs[request.params.get("ir", "ir")])


def _load(request: Request) -> tuple[Any, dict[str, Any], float]:
    path = _model_folder(request) / files.MODEL
    checking.check(path)
    started = time.perf_counter()
    session = executing.open_session(path, threads=request.params.get("threads", 1), integer_kernels=True)
    seconds = time.perf_counter() - started
    feeds = executing.feeds_of(session, Path(request.inputs["samples"]) / "samples.npz")
    return session, executing.one(feeds, 0), seconds
