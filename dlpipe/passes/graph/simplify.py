"""onnxsim, at arm's length."""

import subprocess
import sys
import tempfile
from pathlib import Path

import onnx_ir as ir

from . import files
from .infra import GraphPass, Rewritten, Snapshot, Work

_PROGRAM = Path(__file__).with_name("onnxsim_process.py")
_TOO_LARGE = 2 << 30  # onnxsim passes models through protobuf


class Simplify(GraphPass):
    """Shape inference, constant folding and small fusions by onnxsim, in a process of its own.

        Shape -> Gather -> Concat -> Reshape, Identity, Dropout, Conv -> BatchNormalization ...      Reshape, Conv ...

    onnxsim is native code that has crashed, hung and eaten memory on real models. Where it does, the model stays as
    it is, and the value's "reason" says why. Requires nothing. Exact. params: seconds (how long it may take).
    Source: onnxsim (daquexian/onnx-simplifier).
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        before = Snapshot.of(model)
        reason = None
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / files.MODEL
            if sum(path.stat().st_size for path in work.inputs["ir"].glob(files.MODEL + "*")) > _TOO_LARGE:
                reason = "models of more than 2 GiB are too large for onnxsim"
            else:
                reason = run(work.inputs["ir"] / files.MODEL, target, work.params["seconds"])
            if reason is None:
                simplified = ir.load(str(target))
                if _ports(simplified) == _ports(model):
                    ir.external_data.load_to_model(simplified)
                    _forget_diary(simplified)
                    return Rewritten(simplified, before.changes_to(simplified))
                reason = "onnxsim changed the inputs or outputs"
        work.note(f"the model was not simplified: {reason}", level="warning")
        return Rewritten(model, [], {"reason": reason})


def run(source: Path, target: Path, seconds: float) -> str | None:
    """Why there is no result; None when there is one."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-B", str(_PROGRAM), str(source), str(target)],
            timeout=seconds,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"onnxsim took longer than {seconds} seconds"
    said = done.stdout.decode(errors="replace").strip().splitlines()
    if done.returncode < 0:
        return f"onnxsim was killed by signal {-done.returncode}"
    if done.returncode or not target.is_file():
        return f"onnxsim failed: {said[-1][:300] if said else f'exit status {done.returncode}'}"
    return None


def _forget_diary(model: ir.Model) -> None:
    """onnxsim writes its options and what it did into the model's metadata."""
    for key in [key for key in model.metadata_props if key.startswith("onnxsim.")]:
        del model.metadata_props[key]


def _ports(model: ir.Model) -> list[tuple[str | None, object]]:
    return [(value.name, value.type) for value in (*model.graph.inputs, *model.graph.outputs)]
