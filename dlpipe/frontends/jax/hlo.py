"""StableHLO (the public specification of OpenXLA) -> ONNX, for programs of fixed shapes.

A module is walked operation by operation; functions are written out where they are called. Every handler says what it
takes: an operation or a form of it that has none is refused by name.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit.emit import Graph

_TYPES = {
    "f64": "float64",
    "f32": "float32",
    "f16": "float16",
    "i1": "bool",
    **{f"i{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"ui{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
}
_TENSOR = re.compile(r"tensor<((?:\d+x)*)(\w+)>")
_DEEPEST = 60  # calls within calls


@dataclass(frozen=True)
class Value:
    """A tensor of the program. `name` in the graph; where `small`, that has dims of 1 in place of repeated ones, which
    operators that broadcast take as it is. `constant`: what it holds, where that is known and small enough to ask."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    small: tuple[int, ...] | None = None
    constant: Any = None


Handler = Callable[["Walker", Any, Sequence[Value]], Sequence[Value]]
HANDLERS: dict[str, Handler] = {}


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Register a handler for operations: (walker, operation, operands) -> results."""

    def register(handler: Handler) -> Handler:
        for name in names:
            HANDLERS[name] = handler
        return handler

    return register


class Walker:
    """Writes one block after the other into `graph`; inner graphs (bodies of loops) have walkers of their own."""

    def __init__(self, graph: Graph, functions: dict[str, Any]) -> None:
        self.graph = graph
        self.functions = functions
        self.prefix = ""  # of names in an inner graph, which must differ from those outside
        self.depth = 0
        self.inner_graphs = itertools.count()
        self.label = "op"
        self.known: dict[Any, Value] = {}  # of the block that is being walked

    def inner(self) -> Walker:
        """A walker for a graph within this one."""
        made = Walker(Graph("body"), self.functions)
        made.prefix, made.depth = f"{self.prefix}g{next(self.inner_graphs)}.", self.depth
        return made

    def block(self, block: Any, arguments: Sequence[Value], outer: dict[Any, Value] | None = None) -> list[Value]:
        """The values that the block returns."""
        before = self.known
        known = dict(outer or {})
        known.update(zip(block.arguments, arguments, strict=True))
        for each in block.operations:
            operation = each.operation
            name = operation.name
            if name in ("func.return", "stablehlo.return"):
                self.known = before
                return [known[operand] for operand in operation.operands]
            self.known = known  # what regions of the operation see
            self.label = _label(operation)
            handler = HANDLERS.get(name)
            if handler is None:
                raise refuse(operation, "has no translation")
            results = handler(self, operation, [known[operand] for operand in operation.operands])
            known.update(zip(operation.results, results, strict=True))
        raise Refused("a block of the program returns nothing")

    def call(self, name: str, arguments: Sequence[Value]) -> list[Value]:
        """The function of that name, written out."""
        function = self.functions.get(name)
        if function is None:
            raise Refused(f"the program calls {name!r}, which it does not define")
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Refused("the functions of the program call each other without end")
        results = self.block(function.regions[0].blocks[0], arguments)
        self.depth -= 1
        return results

    def node(
        self, op: str, inputs: Sequence[str | Value], shape: Sequence[int], dtype: Any, **attributes: Any
    ) -> Value:
        """One node with one output of that shape and dtype."""
        names = [self.full(each) if isinstance(each, Value) else each for each in inputs]
        made = self.graph.node(op, names, self.graph.fresh(self.prefix + self.label), self.label, **attributes)
        return Value(made, tuple(shape), np.dtype(dtype))

    def constant(self, array: Any, name: str = "constant") -> Value:
        array = np.asarray(array)
        made = self.graph.constant(array, self.prefix + name)
        return Value(made, array.shape, array.dtype, constant=array)

    def ints(self, values: Sequence[int]) -> str:
        """The name of a list of int64."""
        return self.graph.constant(np.asarray(list(values), np.int64), self.prefix + "ints")

    def full(self, value: Value) -> str:
        """The name of the whole tensor, its repeated dims written out."""
        if value.small is None or value.small == value.shape:
            return value.name
        name = self.graph.fresh(self.prefix + "full")
        self.graph.node("Expand", [value.name, self.ints(value.shape)], name)
        return name

    def reshape(self, value: Value, shape: Sequence[int]) -> Value:
        if value.small is None and value.shape == tuple(shape):
            return value
        if value.constant is not None and value.small is None:
            return self.constant(value.constant.reshape(shape))
        return self.node("Reshape", [value, self.ints(shape)], shape, value.dtype)

    def transpose(self, value: Value, order: Sequence[int]) -> Value:
        if list(order) == list(range(len(order))):
            return value
        if value.constant is not None and value.small is None:
            return self.constant(np.ascontiguousarray(value.constant.transpose(order)))
        shape = [value.shape[axis] for axis in order]
        return self.node("Transpose", [value], shape, value.dtype, perm=list(order))

    def cast(self, value: Value, dtype: Any) -> Value:
        from onnx import helper

        dtype = np.dtype(dtype)
        if value.dtype == dtype:
            return value
        return self.node("Cast", [value], value.shape, dtype, to=helper.np_dtype_to_tensor_dtype(dtype))


def refuse(operation: Any, why: str) -> Refused:
    """For an operation that cannot be translated."""
    return Refused(f"{operation.name} {why}", kind="unsupported", op=operation.name, node=_label(operation))


def type_of(value: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """(shape, dtype) of an MLIR value. Raises Refused for what ONNX has no tensors for, or a dim that is not fixed."""
    text = str(value.type)
    match = _TENSOR.fullmatch(text)
    if match is None or match[2] not in _TYPES:
        raise Refused(f"the program holds values of the type {text}", kind="unsupported")
    return tuple(int(size) for size in match[1].split("x") if size), np.dtype(_TYPES[match[2]])


def array_of(attribute: Any, shape: Sequence[int], dtype: np.dtype[Any]) -> Any:
    """The numbers of a dense attribute."""
    found = np.array(attribute)
    if found.size == 1:
        return np.full(shape, found.reshape(-1)[0], dtype)
    return found.reshape(shape).astype(dtype)


def numbers(operation: Any, name: str, default: Sequence[int]) -> list[int]:
    """A list of ints among the attributes."""
    if name not in operation.attributes:
        return list(default)
    return (
        [int(each) for each in np.array(operation.attributes[name]).reshape(-1)]
        if _dense(operation, name)
        else [int(each) for each in operation.attributes[name]]
    )


def _dense(operation: Any, name: str) -> bool:
    return "dense" in str(operation.attributes[name])[:12]


def number(operation: Any, name: str, default: int | None = None) -> int:
    """An int among the attributes."""
    if name not in operation.attributes:
        if default is None:
            raise refuse(operation, f"lacks {name}")
        return default
    return int(str(operation.attributes[name]).split(":")[0])


def only(operation: Any) -> str:
    """The one operation of a reducer's body, such as stablehlo.add. Raises Refused for another body."""
    names = [str(each.operation.name) for each in operation.regions[0].blocks[0].operations]
    if len(names) != 2:
        raise refuse(operation, f"reduces by {' '.join(names[:-1])}")
    return names[0]


def _label(operation: Any) -> str:
    """The place in the user's function: jit(f)/Dense_0/dot_general -> Dense_0/dot_general."""
    match = re.match(r'loc\("([^"]*)"', str(operation.location))
    parts = [part for part in (match[1] if match else "").rstrip(":").split("/") if part and "(" not in part]
    return "/".join(parts) or operation.name.partition(".")[2]
