"""The executors of an ONNX file as it came."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

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
        self._names = [port.name for port in self._session.get_outputs()]

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        plain = {name: np.asarray(value) for name, value in feeds.items()}  # a scalar stays an array
        with _refusing():
            return dict(zip(self._names, self._session.run(self._names, plain), strict=True))


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
            _forget_hints(model)
            self._evaluator = ReferenceEvaluator(model)

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        with _anything():
            outputs = self._evaluator.run(None, {name: np.asarray(value) for name, value in feeds.items()})
        return dict(zip(self._evaluator.output_names, map(np.asarray, outputs), strict=True))


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
