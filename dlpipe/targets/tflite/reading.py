"""The ONNX model as a list of nodes with fixed shapes; what can be computed beforehand is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from .graph import Array, Shape

_SMALL = 1024  # elements of a constant that may decide a shape
_LEVELS = ("QuantizeLinear", "DequantizeLinear")  # never computed beforehand: they say what is kept in 8 bits
_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli")


@dataclass(eq=False)
class Node:
    """`inputs`: "" for one that is left out."""

    op: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: Mapping[str, Any]

    def refuse(self, why: str, hint: str | None = None) -> Refused:
        where = f"{self.op} {self.name!r}" if self.name else self.op
        return Refused(f"{where}: {why}", kind="unsupported", node=self.name, op=self.op, hint=hint)

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, text as str."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value


@dataclass(eq=False)
class Source:
    """`types`: value -> (NumPy's name of its dtype, shape), of every value that a node makes or reads."""

    nodes: list[Node]
    inputs: list[str]
    outputs: list[str]
    constants: dict[str, Array]
    types: dict[str, tuple[str, Shape]]


def read(path: Path) -> Source:
    """The batch, where it is free, is fixed at one. Raises Refused for another free dim, and for what has no fixed
    shape."""
    model = onnx.load(str(path))
    if model.functions:
        raise Refused("the model has functions of its own", kind="unsupported")
    return _Reader(model).read()


class _Reader:
    def __init__(self, model: Any) -> None:
        self._model = model
        self._opsets = list(model.opset_import)
        self._version = {each.domain: each.version for each in self._opsets}
        self._protos: dict[str, Any] = {}
        graph = model.graph
        self._source = Source([], [], [value.name for value in graph.output], {}, {})
        for each in graph.initializer:
            self._constant(each.name, numpy_helper.to_array(each))
        for value in graph.input:
            if value.name not in self._source.constants:
                self._source.inputs.append(value.name)
                self._know(value.name, _fixed(value))

    def read(self) -> Source:
        for proto in self._in_order():
            attributes = {each.name: helper.get_attribute_value(each) for each in proto.attribute}
            node = Node(proto.op_type, proto.name, list(proto.input), list(proto.output), attributes)
            if proto.domain not in ("", "ai.onnx"):
                raise node.refuse(f"is an operator of the domain {proto.domain}, and no standard one")
            if any(each.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for each in proto.attribute):
                raise node.refuse("has a graph inside, and a TFLite graph has no branches or loops here")
            if self._computable(node):
                self._compute(proto, node)
            else:
                self._infer(proto, node)
                self._source.nodes.append(node)
        return self._source

    def _in_order(self) -> list[Any]:
        """Each node behind those that it reads from, which not every writer keeps to."""
        waiting, made, known = list(self._model.graph.node), [], {"", *self._source.types}
        while waiting:
            left = []
            for node in waiting:
                if known.issuperset(node.input):
                    made.append(node)
                    known.update(node.output)
                else:
                    left.append(node)
            if len(left) == len(waiting):
                name = next(name for name in left[0].input if name not in known)
                raise Refused(f"nothing makes {name!r}, which {left[0].op_type} reads", kind="bad-model")
            waiting = left
        return made

    def _computable(self, node: Node) -> bool:
        if node.op in _LEVELS or node.op in _RANDOM:
            return False
        if node.op in ("Shape", "Size"):
            return True
        return all(name == "" or name in self._source.constants for name in node.inputs)

    def _compute(self, proto: Any, node: Node) -> None:
        constants, types = self._source.constants, self._source.types
        if node.op in ("Shape", "Size"):
            shape = types[node.inputs[0]][1]
            part = shape[node.get("start", 0) : node.get("end", len(shape))] if node.op == "Shape" else ()
            found = [np.array(part if node.op == "Shape" else np.prod(shape, dtype=np.int64), np.int64)]
        else:
            inputs = [
                _port(name, helper.np_dtype_to_tensor_dtype(constants[name].dtype)) for name in set(node.inputs) if name
            ]
            graph = helper.make_graph([proto], "one", inputs, [onnx.ValueInfoProto(name=name) for name in node.outputs])
            one = helper.make_model(graph, opset_imports=self._opsets, ir_version=self._model.ir_version)
            try:
                found = ReferenceEvaluator(one).run(None, {name: constants[name] for name in node.inputs if name})
            except Exception as error:  # the evaluator lets through whatever NumPy says
                raise node.refuse(f"cannot be computed beforehand: {error}") from error
        for name, value in zip(node.outputs, found, strict=True):
            self._constant(name, np.asarray(value))

    def _infer(self, proto: Any, node: Node) -> None:
        """Raises Refused for an output without a fixed shape."""
        given = [name for name in node.inputs if name]
        types = {name: self._protos[name] for name in given}
        small = {
            name: numpy_helper.from_array(self._source.constants[name], name)
            for name in given
            if name in self._source.constants and self._source.constants[name].size <= _SMALL
        }
        try:
            schema = onnx.defs.get_schema(node.op, self._version[proto.domain or ""], proto.domain)
            found = onnx.shape_inference.infer_node_outputs(
                schema, proto, types, small, opset_imports=self._opsets, ir_version=self._model.ir_version
            )
        except (onnx.defs.SchemaError, onnx.shape_inference.InferenceError, RuntimeError, KeyError) as error:
            raise node.refuse(f"its shapes cannot be told: {str(error).strip().splitlines()[-1]}") from error
        for name in node.outputs:
            if not name:
                continue
            kind = found.get(name)
            if kind is None or not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
                raise node.refuse(f"its output {name!r} has no shape that is known beforehand")
            dims = kind.tensor_type.shape.dim
            if any(not dim.HasField("dim_value") for dim in dims):
                raise node.refuse(f"the size of its output {name!r} depends on the values that it computes")
            self._know(name, (kind.tensor_type.elem_type, tuple(dim.dim_value for dim in dims)))

    def _constant(self, name: str, value: Array) -> None:
        self._source.constants[name] = value
        self._know(name, (helper.np_dtype_to_tensor_dtype(value.dtype), value.shape))

    def _know(self, name: str, kind: tuple[int, Shape]) -> None:
        dtype, shape = kind
        self._protos[name] = helper.make_tensor_type_proto(dtype, shape)
        self._source.types[name] = (np.dtype(helper.tensor_dtype_to_np_dtype(dtype)).name, shape)


def _port(name: str, dtype: int) -> Any:
    return helper.make_tensor_value_info(name, dtype, None)


def _fixed(value: Any) -> tuple[int, Shape]:
    """Of an input: the batch is one; any other free dim has to be settled first."""
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
        raise Refused(f"the input {value.name} is no tensor of known rank", kind="unsupported")
    dims = []
    for axis, dim in enumerate(tensor.shape.dim):
        if not dim.HasField("dim_value") and axis:
            free = dim.dim_param or "?"
            raise Refused(
                f"LiteRT's graph has fixed shapes, and {value.name} has the free dim {free}",
                kind="unsupported",
                hint=f"--shape {free}=<size>",
            )
        dims.append(dim.dim_value if dim.HasField("dim_value") else 1)
    return tensor.elem_type, tuple(dims)
