"""Runs a model with quantisers of QONNX, Brevitas or FINN in QONNX's own executor. Runs in the qonnx toolchain."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
from dlpipe_worker import Refused, Request, operation
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from ..kit import executing


class InQonnx(executing.Model):
    def __init__(self, path: Path) -> None:
        self.tool = f"qonnx {version('qonnx')}"
        # Of the shapes of scalars, which its inference leaves out, and of old names of its domain.
        warnings.simplefilter("ignore")
        with _refusing():
            model = onnx.load_model(str(path))
            _batch_of_one(model)
            self._model = ModelWrapper(model).transform(InferShapes())

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        with _refusing():
            return dict(execute_onnx(self._model, dict(feeds)))

    def layers(self, feeds: executing.Arrays) -> executing.Arrays:
        with _refusing():
            values = execute_onnx(self._model, dict(feeds), return_full_exec_context=True)
        return {name: values[name] for node in self._model.graph.node for name in node.output if name}


@operation
def reference(request: Request) -> dict[str, Any]:
    return executing.reference(request, _open)


@operation
def layers(request: Request) -> dict[str, Any]:
    return executing.layers(request, _open)


def _open(request: Request, *_: object) -> InQonnx:
    source, entry = Path(request.inputs["source"]), request.params["entry"]
    path = source / entry if entry != "." else next(iter(sorted(source.glob("*.onnx"))))
    return InQonnx(path)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # plain Python over a file from outside: it raises whatever comes
        line = str(error).strip().split("\n")[0][:300]
        raise Refused(f"QONNX's executor does not run the model: {line}", kind="unsupported") from error


def _batch_of_one(model: Any) -> None:
    """Its executor wants every size: a free first dim is 1, as in the samples."""
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        if dims and not dims[0].HasField("dim_value"):
            dims[0].dim_value = 1
