"""A model of fixed shapes, and what of it is constant then: shapes that are computed, weights that are turned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.inliner
from dlpipe_worker import Refused
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from ..graph import executing, files

_MOST = 1 << 24  # items of a constant that is computed here
_RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}


class Uniform:
    """One number, repeated: kept as such, however large the tensor is."""

    def __init__(self, value: Any, shape: Sequence[int]) -> None:
        self.value = np.asarray(value).reshape(())
        self.shape = tuple(int(each) for each in shape)
        self.dtype = self.value.dtype

    def array(self) -> Any:
        return np.broadcast_to(self.value, self.shape)


class Folded:
    """`nodes`: those that are left, in order; `constants`: name -> array or Uniform; `shapes`, `dtypes`: of values."""

    def __init__(self, path: Path, shapes: Mapping[str, Sequence[int]]) -> None:
        model = files.read_whole(path)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        self.graph = model.graph
        self.opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 1)
        self.constants: dict[str, Any] = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        for each in model.graph.input:
            if each.name in shapes:
                each.type.tensor_type.shape.CopyFrom(_shape(shapes[each.name]))
        del model.graph.value_info[:]
        self._imports = model.opset_import
        self._infer(model)
        self.nodes: list[Any] = []
        while True:
            before = len(self.constants)
            self._fold()
            if len(self.constants) == before:
                break
            self._infer(self._as_model(model))

    def _as_model(self, model: Any) -> Any:
        """What is left, with small constants as initializers: shapes that they decide can then be inferred."""
        made = onnx.ModelProto()
        made.CopyFrom(model)
        del made.graph.node[:], made.graph.initializer[:], made.graph.value_info[:]
        made.graph.node.extend(self.nodes)
        read = {name for node in self.nodes for name in node.input}
        for name, value in self.constants.items():
            if name not in read:
                continue
            array = value.array() if isinstance(value, Uniform) else value
            if array.size <= 1024:
                made.graph.initializer.append(
                    numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
                )
            else:
                made.graph.input.append(_value(name, array))
        return made

    def _infer(self, model: Any) -> None:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        self.shapes: dict[str, list[int] | None] = {}
        self.dtypes: dict[str, Any] = {}
        for each in (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output):
            kind = each.type.tensor_type
            if kind.elem_type:
                self.dtypes[each.name] = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
            dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
            known = kind.HasField("shape") and None not in dims
            self.shapes[each.name] = [int(dim or 0) for dim in dims] if known else None
        for name, value in self.constants.items():
            self.shapes[name], self.dtypes[name] = list(value.shape), value.dtype

    def _fold(self) -> None:
        left = []
        for node in self.nodes or self.graph.node:
            made = self._computed(node)
            if made is None:
                left.append(node)
            for name, value in zip(node.output, made or [], strict=False):
                self.constants[name] = value
                self.shapes[name], self.dtypes[name] = list(value.shape), value.dtype
        self.nodes = left

    def _computed(self, node: Any) -> list[Any] | None:
        """The outputs of a node that computes with constants only."""
        op = node.op_type
        if op == "Shape" and self.shapes.get(node.input[0]) is not None:
            return self._evaluated(node, {node.input[0]: np.empty(self.shapes[node.input[0]] or [], np.bool_)})
        inputs = [name for name in node.input if name]
        if not all(name in self.constants for name in inputs) or op in _RANDOM or node.domain not in ("", "ai.onnx"):
            return None
        values = {name: self.constants[name] for name in inputs}
        if op == "ConstantOfShape":
            fill = next(
                (numpy_helper.to_array(each.t) for each in node.attribute if each.name == "value"), np.float32(0)
            )
            return [Uniform(np.asarray(fill).reshape(-1)[0], np.asarray(values[node.input[0]]).tolist())]
        if op in ("Reshape", "Transpose", "Identity") and isinstance(values[node.input[0]], Uniform):
            shape = self.shapes.get(node.output[0])
            return None if shape is None else [Uniform(values[node.input[0]].value, shape)]
        plain = {name: value.array() if isinstance(value, Uniform) else value for name, value in values.items()}
        size = self.shapes.get(node.output[0])
        if max((value.size for value in plain.values()), default=0) > _MOST or (size and np.prod(size) > _MOST):
            return None
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            return None
        return self._evaluated(node, plain)

    def _evaluated(self, node: Any, values: Mapping[str, Any]) -> list[Any]:
        graph = onnx.helper.make_graph(
            [node],
            "node",
            [_value(name, array) for name, array in values.items()],
            [onnx.helper.make_empty_tensor_value_info(name) for name in node.output if name],
        )
        model = onnx.helper.make_model(graph, opset_imports=list(self._imports), ir_version=10)
        try:
            return _run(model, values)
        except Exception as error:
            raise Refused(f"it cannot be computed: {error}", "unsupported", node=node.name, op=node.op_type) from error


def _run(model: Any, values: Mapping[str, Any]) -> list[Any]:
    """By the kernels that run the model itself; what those do not take, by ONNX's definition."""
    try:
        session = executing.open_session(model.SerializeToString())
        with executing.refusing("does not compute the node"):
            found = session.run(None, dict(values))
    except Refused:
        found = ReferenceEvaluator(model).run(None, dict(values))
    return [np.asarray(each) for each in found]


def _shape(dims: Sequence[int]) -> Any:
    return onnx.helper.make_tensor_type_proto(1, list(dims)).tensor_type.shape


def _value(name: str, array: Any) -> Any:
    return onnx.helper.make_tensor_value_info(
        name, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(array.dtype)), list(array.shape)
    )
