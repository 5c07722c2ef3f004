"""The ONNX graph being written, with the shape and type of every value known as far as the inputs settle them.

MXNet's operators mean different things for different ranks and sizes, so each node's result is inferred (by ONNX's own
inference) as soon as it is added. A free dim is a name, an unknown one None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused
from onnx import helper, numpy_helper, shape_inference

from ..kit import emit

DOMAINS = {"": emit.OPSET}
_IMPORTS = [helper.make_opsetid("", emit.OPSET)]
_SMALL = 1024  # elements of a constant that may decide about shapes

Dim = int | str | None


class FreeDim(Exception):
    """A layer needs the number behind a free dim. `dim`: its name, or None where it is computed from one."""

    def __init__(self, dim: str | None) -> None:
        super().__init__(f"the size of {dim or 'a computed dim'} must be known")
        self.dim = dim


class Net:
    """Nodes are kept back until their layer is done (`flush`), so that its outputs get the names MXNet gives them."""

    def __init__(self, graph: emit.Graph) -> None:
        self.graph = graph
        self.layer = ""
        self._types: dict[str, Any] = {}
        self._small: dict[str, Any] = {}
        self._pending: list[tuple[str, list[str], list[str], dict[str, Any]]] = []
        self.arrays: dict[str, Any] = {}  # constants, by the name of their value

    # What is known of a value

    def shape(self, value: str) -> list[Dim]:
        """Raises FreeDim where not even the rank is known."""
        kind = self._types[value].tensor_type
        if not kind.HasField("shape"):
            raise FreeDim(None)
        return [each.dim_value if each.HasField("dim_value") else each.dim_param or None for each in kind.shape.dim]

    def rank(self, value: str) -> int:
        return len(self.shape(value))

    def size(self, value: str, axis: int) -> int:
        """Raises FreeDim where it is not a number."""
        dim = self.shape(value)[axis]
        if not isinstance(dim, int):
            raise FreeDim(dim)
        return dim

    def sizes(self, value: str) -> list[int]:
        return [self.size(value, axis) for axis in range(self.rank(value))]

    def dtype(self, value: str) -> Any:
        return np.dtype(helper.tensor_dtype_to_np_dtype(self._types[value].tensor_type.elem_type))

    def axis(self, value: str, axis: int, extra: int = 0) -> int:
        """An axis counted from the front. Raises Refused for one that is not there."""
        rank = self.rank(value) + extra
        if not -rank <= axis < rank:
            raise Refused(f"axis {axis} of a tensor with {rank} dims")
        return axis % rank

    # What is added

    def input(self, name: str, dtype: Any, shape: Sequence[int | str], layout: str | None = None) -> str:
        self.graph.input(name, dtype, shape, source=name, layout=layout)
        self._types[name] = helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
        return name

    def constant(self, array: Any, name: str | None = None) -> str:
        """name: where it is a weight of the original."""
        array = np.asarray(array)
        value = self.graph.constant(array, name or f"{self.layer}_constant")
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        self._types[value] = helper.make_tensor_type_proto(kind, array.shape)
        self.arrays[value] = array
        if array.size <= _SMALL and array.dtype in (np.int64, np.float32):  # sizes, scales of a Resize
            self._small[value] = numpy_helper.from_array(array, value)
        return value

    def ints(self, *values: int) -> str:
        """A 1-D constant, as shapes, axes and pads are given."""
        return self.constant(np.asarray(values, np.int64))

    def like(self, number: float, value: str) -> str:
        """A scalar of the value's type."""
        return self.constant(np.asarray(number, self.dtype(value)))

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        return self.add_many(op, 1, *inputs, **attributes)[0]

    def add_many(self, op: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """Attributes that are None are left out. Raises Refused where ONNX finds the node impossible."""
        outputs = [self.graph.fresh(f"{self.layer}_{op}") for _ in range(count)]
        given = {key: value for key, value in attributes.items() if value is not None}
        node = helper.make_node(op, list(inputs), outputs, **given)
        try:
            found = shape_inference.infer_node_outputs(
                onnx.defs.get_schema(op, emit.OPSET, ""),
                node,
                {name: self._types[name] for name in inputs if name},
                {name: self._small[name] for name in inputs if name in self._small},
                opset_imports=_IMPORTS,
                ir_version=emit.IR_VERSION,
            )
        except (shape_inference.InferenceError, onnx.checker.ValidationError) as error:
            raise Refused(f"it does not fit what it is given: {_last_line(error)}") from error
        for kind in found.values():
            if any(dim.HasField("dim_value") and dim.dim_value < 1 for dim in kind.tensor_type.shape.dim):
                raise Refused("it does not fit what it is given: nothing would be left")
        self._types.update(found)
        self._pending.append((op, list(inputs), outputs, given))
        return outputs

    def know(self, value: str, shape: Sequence[Dim]) -> str:
        """The shape is known better than ONNX can infer it."""
        self._types[value] = helper.make_tensor_type_proto(self._types[value].tensor_type.elem_type, list(shape))
        return value

    def cast(self, value: str, dtype: Any) -> str:
        dtype = np.dtype(dtype)
        if self.dtype(value) == dtype:
            return value
        return self.add("Cast", value, to=helper.np_dtype_to_tensor_dtype(dtype))

    def transpose(self, value: str, order: Sequence[int]) -> str:
        return value if list(order) == list(range(len(order))) else self.add("Transpose", value, perm=list(order))

    def squeeze(self, value: str, *axes: int) -> str:
        return self.add("Squeeze", value, self.ints(*axes)) if axes else value

    def unsqueeze(self, value: str, *axes: int) -> str:
        return self.add("Unsqueeze", value, self.ints(*axes)) if axes else value

    def slice(self, value: str, axis: int, begin: int, end: int, step: int = 1) -> str:
        return self.add("Slice", value, self.ints(begin), self.ints(end), self.ints(axis), self.ints(step))

    def reshape(self, value: str, target: Sequence[int | list[int] | None]) -> str:
        """To dims that are each a number, the product of some of the value's own axes, or (one) None: what is left."""
        own = self.shape(value)
        dims: list[Dim] = []
        for each in target:
            dims.append(_product([own[axis] for axis in each]) if isinstance(each, list) else each)
        numbers = [dim for dim in dims if isinstance(dim, int)]
        if all(isinstance(dim, int) for dim in own) and None in target:
            whole = math.prod(dim for dim in own if isinstance(dim, int))
            rest = math.prod(numbers)
            if rest and whole % rest == 0 and len(numbers) == len(dims) - 1:
                dims[list(target).index(None)] = whole // rest
        unknown = [place for place, dim in enumerate(dims) if not isinstance(dim, int)]
        if len(unknown) <= 1:
            shape = self.ints(*(dim if isinstance(dim, int) else -1 for dim in dims))
        elif all(target[place] in (None, [place]) for place in unknown):
            shape = self.ints(*(_code(each, dim) for each, dim in zip(target, dims, strict=True)))
        else:
            shape = self._shape_at_run(value, target)
        return self.know(self.add("Reshape", value, shape), dims)

    def _shape_at_run(self, value: str, target: Sequence[int | list[int] | None]) -> str:
        whole = self.add("Shape", value)
        parts = []
        for each in target:
            if isinstance(each, list):
                picked = self.add("Gather", whole, self.ints(*each), axis=0)
                parts.append(picked if len(each) == 1 else self.add("ReduceProd", picked, self.ints(0), keepdims=1))
            else:
                parts.append(self.ints(-1 if each is None else each))
        return self.add("Concat", *parts, axis=0)

    def flush(self, renamed: Mapping[str, str]) -> None:
        """The layer is done: its nodes go into the graph, its results under their own names (old -> new)."""
        for op, inputs, outputs, attributes in self._pending:
            self.graph.node(
                op,
                [renamed.get(name, name) for name in inputs],
                [renamed.get(name, name) for name in outputs],
                name=self.layer,
                **attributes,
            )
        self._pending.clear()
        for old, new in renamed.items():
            self._types[new] = self._types[old]

    def made_here(self, value: str) -> bool:
        """Whether a node of this layer makes it."""
        return any(value in outputs for _, _, outputs, _ in self._pending)


def _product(dims: Sequence[Dim]) -> Dim:
    if len(dims) == 1:
        return dims[0]
    return None if not all(isinstance(dim, int) for dim in dims) else math.prod(d for d in dims if isinstance(d, int))


def _code(target: int | list[int] | None, dim: Dim) -> int:
    if isinstance(dim, int):
        return dim
    return -1 if target is None else 0  # 0: what the input has at this place


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
