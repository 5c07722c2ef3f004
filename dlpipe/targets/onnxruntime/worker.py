"""IR -> a model for ONNX Runtime, and its execution on this machine. Runs in the core toolchain."""

import json
import platform
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort
from dlpipe_worker import Refused, Request, operation

from . import guest, ortformat

# Of the timing operation: handle -> (which file it is, session, feed, seconds to load).
_SESSIONS: dict[str, tuple[tuple[int, int], ort.InferenceSession, dict[str, Any], float]] = {}


@operation
def compile_(request: Request) -> object:
    """ir -> `model.ort` or `model.onnx`, run.json, run.py, LICENSES/. params: target, arch, format, variant."""
    ir, out = Path(request.inputs["ir"]), Path(request.out)
    contract = json.loads((ir / "contract.json").read_text(encoding="utf-8"))
    entry = "model." + _format(request, ir)
    if entry == "model.ort":
        _convert(ir / "model.onnx", out / entry, request.params["arch"])
    else:
        for file in sorted(ir.glob("model.onnx*")):
            shutil.copyfile(file, out / file.name)
    description = {
        "backend": "onnxruntime",
        "target": request.params["target"],
        "variant": request.params["variant"],
        "runtime": {"name": "onnxruntime", "version": ort.__version__},
        "entry": entry,
        "inputs": contract["inputs"],
        "outputs": contract["outputs"],
    }
    (out / "run.json").write_text(json.dumps(description, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    with _refusing():
        guest.open_session(str(out))  # proves that what was written loads
    shutil.copyfile(Path(__file__).with_name("sample_run.py"), out / "run.py")
    (out / "LICENSES").mkdir(exist_ok=True)
    shutil.copyfile(Path(ort.__file__).with_name("LICENSE"), out / "LICENSES" / "onnxruntime.txt")
    if request.params["variant"] == "fp16" and request.params["arch"] == "x86_64":
        request.note("fp16 saves size here, not time: ONNX Runtime's x86 kernels compute it in fp32")
    return {"tool": "onnxruntime " + ort.__version__, "entry": entry}


def _format(request: Request, ir: Path) -> str:
    """A FlatBuffer ends at 2 GiB, so a large model stays ONNX with its data beside it."""
    data = ir / "model.onnx.data"
    if request.params["format"] == "ort" and data.exists() and data.stat().st_size > 1 << 30:
        request.note("the weights are too many for the ORT format (2 GiB): the artefact is the ONNX model")
        return "onnx"
    return str(request.params["format"])


def _convert(source: Path, target: Path, arch: str) -> None:
    """Save the optimised graph in ORT format.

    Level "extended" fuses operators and does not choose layouts: those of the next level (NCHWc) depend on the
    vector width of the machine that converts.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    options.add_session_config_entry("session.save_model_format", "ORT")
    # Signed activations stay signed for Arm, whose kernels take them; x86 kernels want them unsigned.
    options.add_session_config_entry("session.qdqisint8allowed", "0" if arch == "x86_64" else "1")
    with _refusing():
        ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    target.write_bytes(ortformat.canonical(target.read_bytes()))


@contextmanager
def _refusing() -> Iterator[None]:
    """What ONNX Runtime says of a model when it loads it is the model's fault."""
    state = ort.capi.onnxruntime_pybind11_state
    try:
        yield
    except (
        state.NotImplemented,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.InvalidArgument,
        state.Fail,
    ) as error:
        raise Refused(f"ONNX Runtime does not take the model: {error}", kind="unsupported") from error


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, on this machine's own processor. params: machine."""
    answer = guest.execute(
        request.inputs["artifact"],
        str(Path(request.inputs["samples"], "samples.npz")),
        str(Path(request.out, "outputs.npz")),
        lambda done: request.progress("running", done),
    )
    if answer["machine"] != request.params["machine"]:
        raise RuntimeError(f"this machine is {answer['machine']}, not {request.params['machine']}")
    return {**answer, "ran_on": "native"}


@operation
def time_(request: Request) -> object:
    """artifact, samples -> seconds of each run. The session stays open under params["handle"]."""
    params = request.params
    file = Path(request.inputs["artifact"], "run.json").stat()
    identity = (file.st_ino, file.st_mtime_ns)
    if params["handle"] not in _SESSIONS or _SESSIONS[params["handle"]][0] != identity:
        _SESSIONS[params["handle"]] = (identity, *_load(request))
    _, session, feed, load_seconds = _SESSIONS[params["handle"]]
    runs = [_timed(session, feed) for _ in range(params["warmup"] + params["runs"])]
    return {
        "seconds": runs[params["warmup"] :],
        "load_seconds": load_seconds,
        "first_seconds": runs[0] if runs else None,
        "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _load(request: Request) -> tuple[ort.InferenceSession, dict[str, Any], float]:
    started = time.perf_counter()
    session = guest.open_session(request.inputs["artifact"], request.params.get("threads", 1))
    seconds = time.perf_counter() - started
    return session, guest.first_sample(session, str(Path(request.inputs["samples"], "samples.npz"))), seconds


def _timed(session: ort.InferenceSession, feed: dict[str, Any]) -> float:
    started = time.perf_counter()
    session.run(None, feed)
    return time.perf_counter() - started


@operation
def coverage(request: Request) -> object:  # noqa: ARG001 - the shape of every operation
    """What this ONNX Runtime executes on a CPU: {"opset", "machine", "operators": {domain: [names]}}."""
    state = ort.capi.onnxruntime_pybind11_state
    domains: dict[str, set[str]] = {}
    for kernel in state.get_all_opkernel_def():
        if kernel.provider == "CPUExecutionProvider":
            domains.setdefault(kernel.domain, set()).add(kernel.op_name)
    for schema in onnx.defs.get_all_schemas_with_history():
        # Operators without a kernel that are defined by a function run as its parts.
        if schema.domain in ("", "ai.onnx.ml") and (schema.has_function or schema.has_context_dependent_function):
            domains.setdefault(schema.domain, set()).add(schema.name)
    domains[""].update({"Constant"})
    opset = max(schema.since_version for schema in state.get_all_operator_schema() if schema.domain == "")
    return {
        "machine": platform.machine(),
        "opset": opset,
        "operators": {domain: sorted(names) for domain, names in sorted(domains.items()) if "nchwc" not in domain},
    }
