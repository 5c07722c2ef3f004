"""The executors of an ONNX file as it came."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from dlpipe_worker import Refused
from onnx.reference import ReferenceEvaluator

from ..kit import executing, onnx_runtime


class Original(executing.Model):
    kind = "original"


class InRuntime(Original):
    """ONNX Runtime. optimised: False for a reference, which nothing shall have rewritten."""

    def __init__(self, path: Path, *, kind: str = "original", optimised: bool = False, threads: int = 1) -> None:
        self.kind, self.tool = kind, f"onnxruntime {ort.__version__}"
        with _refusing():
            self._session = onnx_runtime.open_session(
                path, optimised=optimised, threads=threads, ort_format=is_ort(path)
            )
        ports = self._session.get_outputs()
        self._names = [port.name for port in ports]
        has_tables = any(port.type.startswith("seq(map(") for port in ports)  # else the file need not be read again
        self._classes = classes_of_tables(path) if has_tables and not is_ort(path) else {}

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        plain = {name: np.asarray(value) for name, value in feeds.items()}  # a scalar stays an array
        with _refusing():
            given = dict(zip(self._names, self._session.run(self._names, plain), strict=True))
        return as_tensors(given, self._classes)


class LayersInRuntime(InRuntime):
    """Every value of the main graph becomes an output."""

    def __init__(self, path: Path) -> None:
        with copied(path) as copy:
            model = onnx.load_model(str(copy), "protobuf", load_external_data=False)
            known = {value.name for value in model.graph.output}
            made = [name for node in model.graph.node for name in node.output if name]
            model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made if name not in known)
            copy.write_bytes(model.SerializeToString())
            super().__init__(copy)
        self._made = made

    def layers(self, feeds: executing.Arrays) -> executing.Arrays:
        found = self.run(feeds)
        return {name: found[name] for name in self._made if isinstance(found[name], np.ndarray)}


class InEvaluator(Original):
    """ONNX's own evaluator in NumPy. It knows the old operator sets that ONNX Runtime has dropped."""

    def __init__(self, path: Path) -> None:
        self.kind, self.tool = "independent", f"onnx.reference {onnx.__version__}"
        with copied(path) as copy, _anything():
            model = onnx.load_model(str(copy), "protobuf")
            self._classes = _classes(model)
            _forget_hints(model)
            self._evaluator = ReferenceEvaluator(model)

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        with _anything():
            outputs = self._evaluator.run(None, {name: np.asarray(value) for name, value in feeds.items()})
        given = as_tensors(dict(zip(self._evaluator.output_names, outputs, strict=True)), self._classes)
        return {name: np.asarray(value) for name, value in given.items()}


def classes_of_tables(path: Path) -> dict[str, list[Any]]:
    return _classes(onnx.load_model(str(path), "protobuf", load_external_data=False))


def _classes(model: onnx.ModelProto) -> dict[str, list[Any]]:
    """Output of a ZipMap -> the classes that its dictionaries have as keys, in the order of its input's columns."""
    found = {}
    for node in model.graph.node:
        if node.op_type == "ZipMap":
            given = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
            texts = [each.decode(errors="replace") for each in given.get("classlabels_strings", [])]
            found[node.output[0]] = texts or list(given.get("classlabels_int64s", []))
    return found


def as_tensors(given: executing.Arrays, classes: dict[str, list[Any]]) -> executing.Arrays:
    """Dictionaries as rows of a tensor, as the import has them."""
    return {
        name: np.array([[row[key] for key in classes[name]] for row in value], np.float32)
        if name in classes and isinstance(value, list)
        else value
        for name, value in given.items()
    }


def is_ort(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] == b"ORTM"


def main_file(source: Path, entry: str) -> Path:
    """`entry`, or the one .onnx file of a folder."""
    return source / entry if entry != "." else next(iter(sorted(source.glob("*.onnx"))))


def _forget_hints(model: onnx.ModelProto) -> None:
    """Operator sets 1 to 5 told an executor which memory it may write over; the evaluator has no such argument."""
    for node in model.graph.node:
        for attribute in [each for each in node.attribute if each.name == "consumed_inputs"]:
            node.attribute.remove(attribute)
    if not model.opset_import:  # before IR version 3 there was but one
        model.opset_import.add(domain="", version=1)


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """The file in a copy of its folder: onnx takes weights with a further hard link, as the store's have, for an
    attack."""
    with TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(path.parent, Path(folder) / "source"))
        for each in copy.rglob("*"):
            each.chmod(0o755 if each.is_dir() else 0o644)
        yield copy / path.name


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except onnx_runtime.TROUBLE as error:
        what = f"ONNX Runtime does not run the file: {onnx_runtime.said(error)}"
        raise Refused(what, kind="unsupported") from error


@contextmanager
def _anything() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        line = str(error).strip().split("\n")[0]
        raise Refused(f"onnx.reference does not run the file: {line[:300]}", kind="unsupported") from error
