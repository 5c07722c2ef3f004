"""IR -> a model for ONNX Runtime, and its execution on this machine. Runs in the core toolchain."""

import platform
import shutil
from pathlib import Path

import onnx
import onnxruntime as ort
from dlpipe_worker import Request, operation

from ..kit import artifact, operations
from ..kit.onnx_runtime import refusing
from . import guest, ortformat


@operation
def compile_(request: Request) -> object:
    """ir -> `model.ort` or `model.onnx`, run.json, run.py, LICENSES/. params: target, arch, format, variant."""
    ir, out = Path(request.inputs["ir"]), Path(request.out)
    contract = artifact.contract(request)
    entry = "model." + _format(request, ir)
    if entry == "model.ort":
        _convert(ir / "model.onnx", out / entry, request.params["arch"])
    else:
        for file in sorted(ir.glob("model.onnx*")):
            shutil.copyfile(file, out / file.name)
    ports = contract["inputs"], contract["outputs"]
    artifact.describe(request, "onnxruntime", ("onnxruntime", ort.__version__), entry, ports)
    with refusing():
        guest.Model(str(out))  # proves that what was written loads
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    artifact.licences(request, "onnxruntime")
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
    with refusing():
        ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    target.write_bytes(ortformat.canonical(target.read_bytes()))


operations.serve(__name__, guest.Model)


@operation
def coverage(_request: Request) -> object:
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
