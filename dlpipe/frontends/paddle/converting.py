"""A program -> ONNX with paddle2onnx."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import onnx
import paddle
from dlpipe_worker import Refused
from paddle2onnx.convert import load_parameter, save_program

from .adaptive import Adaptive
from .exporting import export
from .folding import fold
from .loading import Program, told
from .patching import patch

OPSET = 18
INLINE_BYTES = 1 << 30  # larger models keep their weights in model.onnx.data
_UNSUPPORTED = "not supported yet"


def convert(program: Program) -> tuple[Any, dict[str, list[int]], dict[str, Adaptive]]:
    """(the ModelProto, its weights as initializers; the shapes that go into squeezes, by output; adaptive poolings, by
    the name of their node: see `patching`).

    Raises Refused for what paddle2onnx refuses, or aborts at.
    """
    with tempfile.TemporaryDirectory() as scratch:
        model, params = program.model, program.params
        if program.old:
            model, params = _translated(program, Path(scratch))
        patched = Path(scratch, "patched.json")
        squeezes, pools = patch(model, patched)
        found = _export(patched, params, Path(scratch, "made.onnx"))
    fold(found.graph)
    named = {node.name: pools[node.output[0]] for node in found.graph.node if node.output[0] in pools}
    return found, squeezes, named


def _export(program: Path, params: Path | None, out: Path) -> Any:
    code, said = export(program, params, out, OPSET)
    if code == 0:
        return onnx.load_model(str(out))
    lines = said.splitlines()
    for line in lines:
        if _UNSUPPORTED in line:
            raise Refused(f"paddle2onnx: {line.split(']')[-1].strip()}", kind="unsupported")
    useful = [line.strip() for line in lines if "[ERROR]" in line] or [told(RuntimeError(said))]
    how = f"ended with signal {-code}" if code < 0 else "cannot convert the program"
    raise Refused(f"paddle2onnx {how}: {useful[-1][:300]}", kind="unsupported")


def _translated(program: Program, scratch: Path) -> tuple[Path, Path | None]:
    """An old program in Paddle 3's form."""
    try:
        new = paddle.pir.translate_to_pir(program.program.desc)
        load_parameter(new)
        save_program(new, str(scratch / "model"))
    except Exception as error:
        raise Refused(
            f"Paddle {paddle.__version__} cannot translate the old program: {told(error)}", kind="unsupported"
        ) from error
    params = scratch / "model.pdiparams"
    return scratch / "model.json", params if params.is_file() else None


def save(model: Any, path: Path) -> None:
    """Raises Refused where ONNX finds it invalid."""
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise Refused(
            f"what paddle2onnx made is not valid ONNX: {str(error).splitlines()[0]}", kind="unsupported"
        ) from error
    large = sum(len(tensor.raw_data) for tensor in model.graph.initializer) > INLINE_BYTES
    onnx.save_model(
        model, str(path), save_as_external_data=large, location=f"{path.name}.data", size_threshold=1024 if large else 0
    )
