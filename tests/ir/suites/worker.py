"""Takes every case of a suite through the import and the passes, many in one call. Runs in the core toolchain."""

import re
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from dlpipe_worker import Refused, Request, operation

from ..ir.graph import executing, importing, walk
from ..passes import catalogue
from ..passes.graph import infra, simplify
from . import cases, forked

simplify.run = forked.run  # the real onnxsim, loaded once instead of once per case


_RANDOM = ("Bernoulli", "RandomUniformLike", "RandomNormalLike", "RandomUniform", "RandomNormal", "Multinomial")


@operation
def try_suite(request: Request) -> object:
    """params: suite, passes [[name, its params], ...] in order, only (names of cases; empty: all).

    Returns {case: [verdict, reason]}: "same", "not executable" (ONNX Runtime does not run the original: why),
    "became executable" (it runs the import, which gives what the suite expects), "without a contract" (as "same", but
    an input or output is no tensor, and the product does not take it), "refused" (by the import: why), "failed"
    (where, and how).
    """
    found: dict[str, list[str]] = {}
    for case in cases.load(request.params["suite"]):
        if request.params["only"] and case.name not in request.params["only"]:
            continue
        with tempfile.TemporaryDirectory() as folder:
            found[case.name] = list(_try(case, Path(folder), request.params["passes"]))
        request.progress(case.name)
    return found


def _try(case: cases.Case, folder: Path, passes: list[Any]) -> tuple[str, str]:
    (folder / "source").mkdir()
    (folder / "source" / "model.onnx").write_bytes(case.model.SerializeToString())
    inputs = _inputs(case)
    try:
        before = _run(folder / "source", inputs)
    except Refused as refused:
        return _try_import(case, folder, inputs, _plain(str(refused)))
    verdict, note = "same", ""
    try:
        _import(folder)
    except Refused as refused:
        verdict, note = "without a contract", _plain(str(refused))
        if "only tensors" not in note:
            return "refused", note
    except Exception as error:
        return "failed", f"import: {type(error).__name__}: {error}"
    for step, place in _steps(folder, passes):
        if isinstance(place, str):
            return "failed", f"{step}: {place}"
        try:
            after = _run(place, inputs)
        except Refused as refused:
            return "failed", f"{step}: {refused}"
        wrong = _difference(before, after)
        if wrong:
            return "failed", f"{step}: {wrong}"
    return verdict, note


def _try_import(case: cases.Case, folder: Path, inputs: Any, reason: str) -> tuple[str, str]:
    try:
        _import(folder)
        after = _run(folder / "ir", inputs)
    except Refused as refused:
        return "not executable", f"{reason}; imported: {_plain(str(refused))}"
    if case.expected is None or any(node.op_type in _RANDOM for node in walk.nodes(case.model)):
        return "not executable", f"{reason}; imported: nothing to compare with"
    wrong = _difference([_array(each) for each in case.expected], after)
    return ("failed", f"import: {wrong}") if wrong else ("became executable", reason)


def _import(folder: Path) -> None:
    (folder / "ir").mkdir()
    importing.import_model(folder / "source", "model.onnx", folder / "ir", lambda line: None, shapes={})


def _steps(folder: Path, passes: list[Any]) -> Iterator[tuple[str, Path | str]]:
    """(name, the IR folder that it made, or what it raised); a pass that changed nothing is left out."""
    place = folder / "ir"
    yield "import", place
    for number, (name, params) in enumerate(passes):
        out = folder / f"{number}-{name}"
        out.mkdir()
        work = infra.Work(params, {"ir": place}, lambda *a, **k: None, lambda *a, **k: None)
        try:
            changed = infra.apply(catalogue.PASSES[name](), work, out)["modified"]
        except Refused:
            continue  # what a pass cannot work on it leaves as it is
        except Exception as error:
            yield name, f"{type(error).__name__}: {str(error).strip()[:300]}"
            return
        if changed:
            yield name, out
            place = out


def _inputs(case: cases.Case) -> dict[str, Any]:
    stored = {tensor.name for tensor in case.model.graph.initializer}
    ports = [port for port in case.model.graph.input if port.name not in stored]
    if case.inputs is not None:
        return {port.name: value for port, value in zip(ports, case.inputs, strict=False)}
    random = np.random.default_rng(zlib.crc32(case.name.encode()))
    return {
        port.name: random.standard_normal(walk.dims(port)).astype(walk.dtype(int(port.type.tensor_type.elem_type)))
        for port in ports
    }


def describing_type(port: Any) -> int:
    return int(port.type.tensor_type.elem_type)


def _run(folder: Path, inputs: dict[str, Any]) -> list[Any]:
    session = executing.open_session(folder / "model.onnx", optimisation="basic")
    known = {port.name for port in session.get_inputs()}
    feeds = {name: _array(value) for name, value in inputs.items() if name in known}
    with executing.refusing("does not run the case"):
        try:
            return list(session.run(None, feeds))
        except (ValueError, TypeError, NotImplementedError) as error:  # types that its binding does not take
            raise Refused(f"the binding does not take the inputs: {error}") from error


def _array(value: Any) -> Any:
    """NumPy's scalars as arrays, which is all that the binding takes."""
    if isinstance(value, list):
        return [_array(each) for each in value]
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    return None if value is None else np.asarray(value)


def _difference(before: Any, after: Any) -> str | None:
    if isinstance(before, list) or isinstance(after, list):
        if not (isinstance(before, list) and isinstance(after, list) and len(before) == len(after)):
            return "another number of outputs"
        return next((wrong for a, b in zip(before, after, strict=True) if (wrong := _difference(a, b))), None)
    if before is None or after is None:
        return None if before is after else "one is empty"
    a, b = np.asarray(before), np.asarray(after)
    if a.shape != b.shape:
        return f"shape {list(a.shape)} -> {list(b.shape)}"
    if a.dtype.kind == "V" and b.dtype == np.uint8:  # the binding hands out 8-bit floats as their bits
        a = a.view(np.uint8)
    if a.dtype.kind in "fcV":
        a, b = a.astype(np.float64), b.astype(np.float64)
        same = np.allclose(a, b, rtol=1e-3, atol=1e-5, equal_nan=True)
        return None if same else f"numbers differ by up to {np.nanmax(np.abs(a - b)):.3g}"
    return None if a.astype(str).tolist() == b.astype(str).tolist() else "values differ"


def _plain(reason: str) -> str:
    """Without what differs from case to case."""
    return re.sub(r"node with name '[^']*'|'[^']*'|\(node:[^)]*\)", "...", reason)[:160]


ort.set_default_logger_severity(4)
