"""IR -> a QNN context binary, and its execution in the HTP simulator. Runs in the qnn toolchain."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import onnx
import onnxruntime_qnn
from dlpipe_worker import Refused, Request, operation

from ..kit import artifact, operations, ports
from . import guest, refusing

_ENTRY = "model_ctx.onnx"
_MODELS_FAULT = re.compile(r"\b(Fail|NotImplemented|InvalidGraph|InvalidArgument): ")


@operation
def compile_(request: Request) -> object:
    """ir -> model_ctx.onnx, which names the context binary beside it, run.json, run.py, LICENSES/.

    params: target, variant (fp16 or int8), options (htp_arch, soc_model).
    """
    contract, options = artifact.contract(request), request.params["options"]
    inputs = ports.fixed_inputs(contract, "QNN")
    dims = dict.fromkeys(ports.batch_names(contract), 1)
    with tempfile.TemporaryDirectory() as folder:
        _build(Path(request.inputs["ir"]), Path(folder), options, dims)
        for file in sorted(Path(folder, "made").iterdir()):
            shutil.copyfile(file, Path(request.out, file.name))
    nodes = [node.op_type for node in onnx.load(str(Path(request.out, _ENTRY)), load_external_data=False).graph.node]
    if set(nodes) != {guest.CONTEXT}:
        raise Refused(f"QNN leaves {', '.join(sorted(set(nodes) - {guest.CONTEXT}))} to the CPU", kind="unsupported")
    runtime = "onnxruntime-qnn", onnxruntime_qnn.__version__
    artifact.describe(request, "qnn", runtime, _ENTRY, (inputs, contract["outputs"]), options=options)
    artifact.sample_program(request, Path(__file__).with_name("sample_run.py"))
    _say_whose_runtime(Path(request.out, "LICENSES"))
    return {"tool": "onnxruntime-qnn " + onnxruntime_qnn.__version__, "entry": _ENTRY}


def _build(ir: Path, folder: Path, options: dict[str, Any], dims: dict[str, int]) -> None:
    """By a path that is always the same: the name of a partition is a digest of it.

    Raises Refused with the nodes that the NPU does not take."""
    for file in sorted(ir.glob("model.onnx*")):
        (folder / file.name).symlink_to(file.resolve())
    (folder / "made").mkdir()
    entries = {
        "ep.context_enable": "1",
        "ep.context_embed_mode": "0",
        "ep.context_file_path": str(folder / "made" / _ENTRY),
    }
    asked = json.dumps({"model": "model.onnx", "options": options, "entries": entries, "dims": dims, "severity": 0})
    program = [sys.executable, str(Path(__file__).with_name("htp.py")), asked]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, errors="replace")
    sys.stdout.write(done.stdout + refusing.telling(done.stderr))
    if done.returncode:
        raise _refused(done)


def _refused(done: subprocess.CompletedProcess[str]) -> Exception:
    """From what the plug-in said of nodes that it does not take. A crash stays one."""
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["it said nothing"]
    found = refusing.untaken(done.stderr)
    if not found and _MODELS_FAULT.search(lines[-1]) is None:
        return RuntimeError(f"QNN's compiler failed (status {done.returncode}): {lines[-1][:400]}")
    if not found:
        return Refused(f"QNN does not compile the model: {lines[-1][:400]}", kind="unsupported")
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return Refused(
        f"the Hexagon NPU does not take {', '.join(map(str, found[:5]))}{more}",
        kind="unsupported",
        node=found[0].node or None,
        op=found[0].op,
    )


def _say_whose_runtime(folder: Path) -> None:
    """Nothing of Qualcomm's is in the artefact, so no licence of theirs is: it says where its runtime comes from."""
    folder.mkdir()
    text = (
        "This folder holds the model, compiled. What runs it is not in it: ONNX Runtime (MIT) and the libraries of\n"
        "Qualcomm's AI Runtime (package onnxruntime-qnn, or those on the device), which are under Qualcomm's own\n"
        "licence: Qualcomm_LICENSE.pdf in that package.\n"
    )
    (folder / "runtime.txt").write_text(text, encoding="utf-8")


@operation
def run(request: Request) -> object:
    """artifact, samples -> `outputs.npz`, in Qualcomm's simulator of the HTP."""
    return operations.run(request, guest.Model, ran_on="simulator:qnn-htp")
