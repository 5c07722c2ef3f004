"""An ONNX graph of quantised operators, walked from its inputs to its outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
from dlpipe_worker import Refused
from onnx import numpy_helper

from .hardware import Array, Circuit, Constant, NotQuantised, Pending, Port, Tap, Values

_LEVELS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)}
_CLIPPED = 0.95  # of a range that may be kept when its step is rounded down to a power of two
_Kind = TypeVar("_Kind", Values, Constant)


class Node:
    """A node with its attributes and the values of its inputs."""

    def __init__(self, proto: Any, values: Mapping[str, Any]) -> None:
        self.name = proto.name or f"the node that makes {proto.output[0]}"
        self.op: str = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}::{proto.op_type}"
        self.outputs = list(proto.output)
        self.inputs = list(proto.input)
        self._values = values
        self._attributes = {each.name: onnx.helper.get_attribute_value(each) for each in proto.attribute}

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> Any:
        return self._values[self.inputs[index]]

    def optional(self, index: int) -> Any:
        return self[index] if index < len(self.inputs) and self.inputs[index] else None

    def attribute(self, name: str, default: Any) -> Any:
        value = self._attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def refused(self, what: str) -> Refused:
        message = f"{self.name} ({self.op}): {what} cannot be made into wires"
        return Refused(message, kind="unsupported", node=self.name, op=self.op)


def fits(node: Node, value: Any, kind: type[_Kind], what: str) -> _Kind:
    """`value`, where it is of that kind. Raises NotQuantised or Refused, with `what` it is instead."""
    if isinstance(value, Pending):
        raise NotQuantised(f"{value.op} is not followed by a quantiser")
    if not isinstance(value, kind):
        raise node.refused(what)
    return value


def computed(node: Node, value: Any) -> Values:
    """Raises NotQuantised where it is an input as it comes."""
    found = fits(node, value, Values, "a constant there")
    for wire in found.wires.flat:
        if isinstance(wire, Tap):
            raise NotQuantised(f"the input {wire.port.name} goes into {node.name} as floats")
    return found


@dataclass
class Graph:
    """bits: of weights; with fewer than 8 these are rounded anew and every scale becomes a power of two, so that no
    multiplication is left but those by weights."""

    circuit: Circuit
    bits: int
    raw: dict[str, Array] = field(default_factory=dict)  # constants as the file has them

    @property
    def plain(self) -> bool:
        return self.bits < 8

    def grid(self, node: Node) -> tuple[float, int, tuple[int, int]]:
        """Of a quantiser: the scale, the level that is zero, and the least and the greatest level counted from it."""
        scale, zero = self._constant(node, 1), self._constant(node, 2)
        if scale is None or scale.size != 1:
            raise node.refused("a scale for each channel of activations")
        level = np.zeros((), np.uint8) if zero is None else zero
        if level.dtype.name not in _LEVELS:
            raise node.refused(f"quantisation to {level.dtype.name}")
        origin, (low, high) = int(level.item()), _LEVELS[level.dtype.name]
        return self._grid(float(scale.item()), high - origin), origin, (low - origin, high - origin)

    def _grid(self, scale: float, high: int) -> float:
        if not self.plain:
            return scale
        below = 2.0 ** math.floor(math.log2(scale))
        return below if below * high >= _CLIPPED * scale * high else 2.0 * below

    def scales(self, node: Node, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Of constants: scale and zero of every element."""
        found = []
        for index, default in ((1, 1.0), (2, 0.0)):
            given = self._constant(node, index)
            array = np.array(default) if given is None else given.astype(np.float64)
            if array.ndim == 1 and array.size > 1:
                axis = node.attribute("axis", 1) % len(shape)
                array = array.reshape([-1 if each == axis else 1 for each in range(len(shape))])
            elif array.size > 1:
                raise node.refused("weights with a scale for each block")
            found.append(np.broadcast_to(array.reshape(()) if array.size == 1 else array, shape))
        return found[0], found[1]

    def weights(self, constant: Constant, node: Node) -> Constant:
        """As they are, or rounded to fewer bits with powers of two for scales, one for each that they have now."""
        if not self.plain or constant.levels.ndim < 2:
            return constant
        axes = tuple(a for a in range(constant.levels.ndim) if a != node.attribute("axis", 1) % constant.levels.ndim)
        scales = self._constant(node, 1)
        assert scales is not None  # a DequantizeLinear has them
        if scales.size == 1:
            axes = tuple(range(constant.levels.ndim))
        most = 2 ** (self.bits - 1) - 1
        value, best = constant.value, None
        largest = np.maximum(np.abs(value).max(axis=axes, keepdims=True), 1e-30)
        for finer in (0, 1, 2):  # a finer step for all, and the largest ones cut off
            scale = 2.0 ** (np.ceil(np.log2(largest / most)) - finer)
            levels = np.clip(np.rint(value / scale), -most, most)
            error = np.square(levels * scale - value).sum(axis=axes, keepdims=True)
            if best is None:
                best = error, levels, np.broadcast_to(scale, value.shape)
                continue
            less = error < best[0]
            best = np.where(less, error, best[0]), np.where(less, levels, best[1]), np.where(less, scale, best[2])
        assert best is not None
        return Constant(best[1], np.array(best[2]))

    def _constant(self, node: Node, index: int) -> Array | None:
        if index >= len(node) or not node.inputs[index]:
            return None
        if node.inputs[index] not in self.raw:
            raise node.refused("a quantiser that is computed")
        return self.raw[node.inputs[index]]


def walk(
    path: Path, ports: list[dict[str, Any]], graph: Graph, operators: Mapping[str, Any]
) -> tuple[list[Port], list[tuple[str, Values | Pending]]]:
    """Every node of the model at `path` by its function in `operators`. ports: the inputs of the contract.

    Returns the inputs in order and (name, value) of each output. Raises Refused.
    """
    model = onnx.load(path)
    values: dict[str, Any] = {"": None}
    for tensor in model.graph.initializer:
        _remember(graph, values, tensor.name, numpy_helper.to_array(tensor, str(path.parent)))
    inputs = []
    for port in ports:
        shape = tuple(1 if isinstance(dim, str) else int(dim) for dim in port["shape"])
        made = Port(port["name"], port["dtype"], shape)
        taps = np.empty(math.prod(shape), object)
        taps[:] = [Tap(made, index) for index in range(taps.size)]
        values[port["name"]] = Values(taps.reshape(shape), np.ones(shape))
        inputs.append(made)
    for proto in model.graph.node:
        node = Node(proto, values)
        if node.op == "Constant":
            _remember(graph, values, node.outputs[0], numpy_helper.to_array(node.attribute("value", None)))
            continue
        if node.op not in operators:
            raise node.refused("this operator")
        try:
            made_of = operators[node.op](graph, node)
        except NotQuantised as reason:
            raise Refused(
                f"{node.name} ({node.op}): {reason}",
                kind="unsupported",
                node=node.name,
                op=node.op,
                hint="every layer must be in int8: a recipe that keeps none in float (see `dlpipe recipe show int8`)",
            ) from reason
        several = made_of if isinstance(made_of, list) else [made_of]
        values.update(zip(node.outputs, several, strict=False))
    return inputs, [(output.name, _output(output.name, values[output.name])) for output in model.graph.output]


def _remember(graph: Graph, values: dict[str, Any], name: str, array: Array) -> None:
    graph.raw[name] = array
    if array.dtype.kind in "biuf":
        values[name] = Constant(array.astype(np.float64), np.ones(array.shape))


def _output(name: str, value: Any) -> Values | Pending:
    wires = value.value.wires if isinstance(value, Pending) else getattr(value, "wires", None)
    if wires is None or any(isinstance(wire, Tap) for wire in wires.flat):
        raise Refused(f"the output {name} is an input or a constant: there is nothing to compute", kind="unsupported")
    output: Values | Pending = value
    return output
