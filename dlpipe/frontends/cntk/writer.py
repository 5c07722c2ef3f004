"""Writes the functions of a CNTK model as ONNX nodes.

Layout: CNTK's static axes in numpy's order (reversed: its fastest axis is its first), behind its dynamic axes: the
batch, then the sequence. A value with a sequence is [N, T, ...], one without [N, ...], a constant [...].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit.shaped import Dim, ShapedGraph
from .dictionary import Axis
from .graph import Function
from .operators import name_of


@dataclass(frozen=True)
class Value:
    """`name`: in the ONNX graph. `dynamic`: how many dynamic axes stand in front: 0, 1 (batch) or 2 (and sequence).
    `steady`: it is the same for every sample of one shape, because no input's numbers went into it."""

    name: str
    dynamic: int
    steady: bool = False


@dataclass
class Writer:
    """`values`: CNTK's uid -> value."""

    graph: ShapedGraph
    values: dict[str, Value] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)  # uid -> what it is called in the ONNX graph
    stepwise: bool = False  # inside a recurrence: one step, so no value has a sequence axis

    def emit(self, function: Function, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        label = self.label(function)
        return self.graph.node(op, inputs, self.graph.fresh(f"{label}/{op}"), label, **attributes)

    def label(self, function: Function) -> str:
        return f"{function.name}/{function.uid}" if function.name else function.uid

    def constant(self, function: Function, array: Any, dtype: Any = None) -> str:
        return self.graph.constant(np.asarray(array, dtype), f"{self.label(function)}/constant")

    def ints(self, function: Function, *values: int) -> str:
        return self.constant(function, list(values), np.int64)

    def number(self, function: Function, value: float, like: Value) -> str:
        return self.constant(function, value, self.graph.dtype(like.name) or np.float32)

    def static(self, function: Function, value: Value) -> tuple[Dim, ...]:
        """The static dims, in numpy's order. Raises Refused where the rank is not known."""
        shape = self.graph.shape(value.name)
        if shape is None:
            raise self.unsupported(function, "a value whose rank cannot be told")
        return shape[value.dynamic :]

    def fixed(self, function: Function, value: Value) -> list[int]:
        """The static dims, all of them numbers."""
        dims = self.static(function, value)
        if not all(isinstance(dim, int) for dim in dims):
            raise self.unsupported(function, f"a value of the free shape {dims}: say its size with --input")
        return [int(dim or 0) for dim in dims]

    def place(self, function: Function, value: Value, axis: Axis, *, new: bool = False) -> int:
        """The place of a static axis in the ONNX value. `new`: of an axis that is made there."""
        rank = len(self.static(function, value)) + int(new)
        if axis.index is None:
            raise self.unsupported(function, f"an operation along the axis {axis.name!r}")
        index = axis.index + rank if axis.index < 0 else axis.index
        if not 0 <= index < rank:
            raise self.bad(function, f"axis {axis.index} of a value with {rank} axes")
        return value.dynamic + rank - 1 - index

    def aligned(self, function: Function, values: Sequence[Value]) -> tuple[list[str], int]:
        """The values with as many axes in front and as many static ones, so that numpy's broadcasting does what CNTK
        means; and the number of dynamic axes of the result."""
        dynamic = max(each.dynamic for each in values)
        rank = max(len(self.static(function, each)) for each in values)
        names = []
        for each in values:
            missing = rank - len(self.static(function, each))
            if each.dynamic == 0 and missing == 0:
                names.append(each.name)
                continue
            axes = [] if each.dynamic in (0, dynamic) else [each.dynamic]
            if missing and each.dynamic:
                axes += [dynamic + at for at in range(missing)]
            names.append(
                self.emit(function, "Unsqueeze", [each.name, self.ints(function, *axes)]) if axes else each.name
            )
        return names, dynamic

    def finish(self, function: Function, op: str, inputs: Sequence[str], like: Value | int, **attributes: Any) -> Value:
        """The function's result, under its own name. `like`: a value with the same dynamic axes, or their number."""
        uid = f"{function.uid}_Output_0"
        name = self.graph.fresh(self.shown.get(uid, uid))
        made = self.graph.node(op, inputs, name, self.label(function), **attributes)
        dynamic, steady = (like, False) if isinstance(like, int) else (like.dynamic, like.steady)
        return Value(made, dynamic, steady)

    def unsupported(self, function: Function, message: str) -> Refused:
        return Refused(message, "unsupported", node=self.label(function), op=name_of(function.op))

    def bad(self, function: Function, message: str) -> Refused:
        return Refused(message, node=self.label(function), op=name_of(function.op))
