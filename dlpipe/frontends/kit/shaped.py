"""A graph that knows the element type and shape of every value while it is being written.

Shapes come from ONNX's own inference, node by node; a dim is an int, a name, or None where it is not known. Runs where
onnx is: the core toolchain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused
from onnx import helper, numpy_helper

from .emit import OPSET, Dims, Graph

Dim = int | str | None


class ShapedGraph(Graph):
    """`where`: the layer of the original that is being converted, for messages."""

    def __init__(self, name: str = "model", opset: int = OPSET) -> None:
        super().__init__(name, opset)
        self.where: tuple[str | None, str | None] = (None, None)  # node, op
        self._types: dict[str, Any] = {}
        self._arrays: dict[str, Any] = {}

    def input(self, name: str, dtype: Any, shape: Dims, source: str | None = None, layout: str | None = None) -> str:
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._types[name] = helper.make_tensor_type_proto(element, list(shape))
        return super().input(name, dtype, shape, source, layout)

    def constant(self, array: Any, name: str) -> str:
        array = np.asarray(array)
        made = super().constant(array, name)
        element = helper.np_dtype_to_tensor_dtype(array.dtype)
        self._types[made] = helper.make_tensor_type_proto(element, array.shape)
        self._arrays[made] = array
        return made

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        outputs: str | Sequence[str] | None = None,
        name: str | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """See `Graph.node`. Raises Refused where the inputs cannot be this operator's: the original is at fault."""
        made = super().node(op, inputs, outputs, name, domain, **attributes)
        if domain:
            return made
        schema = onnx.defs.get_schema(op, self.opset, domain)
        holds = any(isinstance(each, onnx.GraphProto) for each in attributes.values())  # it sees all values from within
        types = {each: self._types[each] for each in (self._types if holds else inputs) if each in self._types}
        small = {each: self._arrays[each] for each in inputs if each in self._arrays and self._arrays[each].size <= 64}
        data = {each: numpy_helper.from_array(np.ascontiguousarray(array), each) for each, array in small.items()}
        opsets = [helper.make_opsetid("", self.opset)]
        try:
            found = onnx.shape_inference.infer_node_outputs(schema, self._nodes[-1], types, data, opset_imports=opsets)
        except (
            onnx.shape_inference.InferenceError,
            onnx.checker.ValidationError,
            RuntimeError,
            TypeError,
            ValueError,
            KeyError,
        ) as error:
            layer, kind = self.where
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise Refused(f"what the operator is given does not fit it: {reason}", node=layer, op=kind) from error
        self._types.update(found)
        if any((dim or 0) < 0 for each in found for dim in self.shape(each) or () if not isinstance(dim, str)):
            layer, kind = self.where
            raise Refused("its window is larger than what it is given", node=layer, op=kind)
        return made

    def inner(self, name: str) -> ShapedGraph:
        """The graph inside a loop, empty yet: it knows the values of this one and names none of its own like them."""
        graph = ShapedGraph(name, self.opset)
        graph.where = self.where
        graph._types = dict(self._types)
        graph._arrays = dict(self._arrays)
        graph._taken = self._taken
        graph._labels = self._labels
        return graph

    def as_body(self) -> onnx.GraphProto:
        """What was written into an inner graph, for the loop's attribute."""
        return self.build().graph

    def shape(self, value: str) -> tuple[Dim, ...] | None:
        """None: not even the rank is known."""
        kind = self._types.get(value)
        if kind is None or not kind.tensor_type.HasField("shape"):
            return None
        return tuple(
            int(dim.dim_value) if dim.HasField("dim_value") else (dim.dim_param or None)
            for dim in kind.tensor_type.shape.dim
        )

    def rank(self, value: str) -> int:
        """Raises Refused where it is not known."""
        shape = self.shape(value)
        if shape is None:
            layer, kind = self.where
            raise Refused(f"the rank of {value!r} cannot be told from the file", "unsupported", node=layer, op=kind)
        return len(shape)

    def dtype(self, value: str) -> Any:
        """numpy dtype, or None where it is not known."""
        kind = self._types.get(value)
        if kind is None or not kind.tensor_type.elem_type:
            return None
        return helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type)

    def array(self, value: str) -> Any:
        """The numbers of a constant; None where the value is computed."""
        return self._arrays.get(value)
