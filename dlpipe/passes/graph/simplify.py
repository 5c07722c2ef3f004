"""onnxsim, at arm's length."""

import subprocess
import sys
import tempfile
from pathlib import Path

import onnx
import onnx_ir as ir

from . import files
from .infra import GraphPass, Rewritten, Snapshot, Work
from .stored import Stored

_PROGRAM = Path(__file__).with_name("onnxsim_process.py")


class Simplify(GraphPass):
    """Shape inference, constant folding and small fusions by onnxsim, in a process of its own.

        Shape -> Gather -> Concat -> Reshape, Identity, Dropout, Conv -> BatchNormalization ...      Reshape, Conv ...

    onnxsim is native code that has crashed, hung and eaten memory on real models. Where it does, the model stays as
    it is, and the value's "reason" says why. It is not shown weights that lie in files of their own (they are inputs to
    it): it would read all of them. Nodes may become more: it writes a MatMul of three dims as a Gemm between Reshapes.
    Requires nothing. Exact. params: seconds (how long it may take).
    Source: onnxsim (daquexian/onnx-simplifier).
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        before = Snapshot.of(model)
        with tempfile.TemporaryDirectory() as folder:
            source, target, apart = work.inputs["ir"] / files.MODEL, Path(folder) / files.MODEL, dict[str, Stored]()
            if files.data_files(source.parent):
                source = Path(folder) / "source.onnx"
                apart = _write_without(model, source)
            reason = run(source, target, work.params["seconds"])
            if reason is None:
                simplified = ir.load(str(target))
                _give_back(simplified, apart)
                reason = _unfit(model, simplified)
                if reason is None:
                    _forget_diary(simplified)
                    return Rewritten(simplified, before.changes_to(simplified))
        work.note(f"the model was not simplified: {reason}", level="warning")
        return Rewritten(model, [], {"reason": reason})


def _unfit(model: ir.Model, simplified: ir.Model) -> str | None:
    if _ports(simplified) != _ports(model):
        return "onnxsim changed the inputs or outputs"
    before, after = ({node.domain for node in each.graph.all_nodes()} for each in (model, simplified))
    added = sorted(after - before - {""})
    return f"onnxsim wrote operators of the domain {added[0]}" if added else None


def _write_without(model: ir.Model, path: Path) -> dict[str, Stored]:
    """The model with its stored weights as inputs; returns these by name."""
    apart = {
        str(value.name): value.const_value
        for value in model.graph.initializers.values()
        if isinstance(value.const_value, Stored)
    }
    proto = ir.to_proto(model)
    inside = [tensor for tensor in proto.graph.initializer if tensor.name not in apart]
    fed = {value.name for value in proto.graph.input}
    proto.graph.input.extend(
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in proto.graph.initializer
        if tensor.name in apart and tensor.name not in fed
    )
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(inside)
    path.write_bytes(proto.SerializeToString(deterministic=True))
    return apart


def _give_back(model: ir.Model, apart: dict[str, Stored]) -> None:
    """Inputs that are weights become weights again."""
    for value in [each for each in model.graph.inputs if each.name in apart]:
        model.graph.inputs.remove(value)
        value.const_value = apart[str(value.name)]
        model.graph.register_initializer(value)


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
