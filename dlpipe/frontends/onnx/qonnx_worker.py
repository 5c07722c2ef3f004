"""Runs a model with quantisers of QONNX, Brevitas or FINN in QONNX's own executor. Runs in the qonnx toolchain."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import onnxruntime
from dlpipe_worker import Refused, Request, operation
from qonnx.core import onnx_exec
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes

from ..kit import executing


@cache
def _session(model: bytes, **options: Any) -> Any:
    """It makes one for each node and run: with them kept, a run takes a twentieth of the time."""
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"], **options)


onnx_exec.rt = SimpleNamespace(InferenceSession=_session)


class InQonnx(executing.Model):
    def __init__(self, path: Path) -> None:
        self.tool = f"qonnx {version('qonnx')}"
        # Of the shapes of scalars, which its inference leaves out, and of old names of its domain.
        warnings.simplefilter("ignore")
        with _refusing():
            model = onnx.load_model(str(path), "protobuf")
            _batch_of_one(model)
            self._model = ModelWrapper(model).transform(InferShapes())
            self._empty = self._model.make_empty_exec_context()
        self._sets = self._model.get_opset_imports()

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        values = self._values(feeds)
        return {value.name: values[value.name] for value in self._model.graph.output}

    def layers(self, feeds: executing.Arrays) -> executing.Arrays:
        values = self._values(feeds)
        return {name: values[name] for node in self._model.graph.node for name in node.output if name}

    def _values(self, feeds: executing.Arrays) -> executing.Arrays:
        """Node by node, as its `execute_onnx`; that also looks at every shape of the graph in every run, and rounds
        what is nearly an integer where the file annotates values as integers, so those files are left to it."""
        graph = self._model.graph
        with _refusing():
            if graph.quantization_annotation:
                return dict(onnx_exec.execute_onnx(self._model, dict(feeds), return_full_exec_context=True))
            values = {**self._empty, **feeds}
            for node in graph.node:
                onnx_exec.execute_node(node, values, graph, self._sets.get(node.domain, 1))
            return values


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
