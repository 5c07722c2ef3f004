"""What is known while a model is lowered: which tensor holds each ONNX value, and how its axes lie there.

ONNX puts channels first, TFLite last. A value keeps its axes in the order of the operator that made it, and a Transpose
is written only where an operator needs another order, so most of them never come to be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from .graph import Array, Graph, Op, Quant, Shape, Tensor
from .reading import Node, Source

Order = tuple[int, ...]
_HELD_AS = {"float16": "float32", "float64": "float32", "bfloat16": "float32", "uint64": "int64"}
_FUSED = {(0.0, np.inf): "RELU", (0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1"}
ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}


def held_as(dtype: str) -> str:
    """The dtype that a value of the ONNX model is computed in."""
    return _HELD_AS.get(dtype, dtype)


def plain(rank: int) -> Order:
    return tuple(range(rank))


def inverse(order: Order) -> Order:
    return tuple(order.index(axis) for axis in range(len(order)))


@dataclass(eq=False)
class Value:
    """Axis i of the ONNX value is axis order[i] of the tensor. `levels`: it is the integers themselves, not what they
    stand for. `shuffle`: the last axis lies in another order: its place j holds what ONNX has at shuffle[j]."""

    tensor: Tensor
    order: Order
    levels: bool = False
    shuffle: Array | None = None

    @property
    def shape(self) -> Shape:
        return tuple(self.tensor.shape[axis] for axis in self.order)

    @property
    def is_int8(self) -> bool:
        """Stands for floats, in 8 bits."""
        return self.tensor.quant is not None and not self.levels


@dataclass(eq=False)
class Weights:
    """A stored matrix or filter in integers: value = scale * (levels - zero), scales along `axis`."""

    levels: Array
    scale: Array
    zero: Array
    axis: int

    def real(self) -> Array:
        shape = [-1 if axis == self.axis else 1 for axis in range(self.levels.ndim)]
        scale, zero = (each.reshape(shape) if each.size > 1 else each.reshape(()) for each in (self.scale, self.zero))
        return ((self.levels.astype(np.float32) - zero.astype(np.float32)) * scale).astype(np.float32)


@dataclass(eq=False)
class Tail:
    """What follows a node and can be part of its operator: `activation`, and rounding to 8 bits."""

    activation: str
    name: str  # of the value behind the activation
    quant: Quant | None
    levels: list[str]  # values that hold the rounded result
    taken: list[Node]


class Scope:
    def __init__(self, source: Source, *, integer: bool = False) -> None:
        """`integer`: for processors that compute in 8 bits: what has an 8-bit kernel of a scale of its own, as softmax,
        is rounded to it though the model has it in float."""
        self.source = source
        self.graph = Graph()
        self.integer = integer
        self.values: dict[str, Value] = {}
        self.weights: dict[str, Weights] = {}
        self.done: set[int] = set()
        self.readers: dict[str, list[Node]] = {}
        for node in source.nodes:
            for name in dict.fromkeys(node.inputs):
                self.readers.setdefault(name, []).append(node)
        self._names: set[str] = set()
        self._laid: dict[tuple[int, Order], Tensor] = {}
        self._real: dict[int, Tensor] = {}
        self._levels: dict[tuple[int, Quant], Tensor] = {}

    # -- what nodes read

    def constant(self, name: str) -> Array | None:
        """A stored value; of one stored in integers what they stand for."""
        if name in self.weights:
            return self.weights[name].real()
        return self.source.constants.get(name)

    def needed(self, node: Node, index: int, what: str) -> Array:
        """An input that has to be stored, so that it is known now."""
        name = node.inputs[index] if index < len(node.inputs) else ""
        found = self.constant(name)
        if found is None:
            raise node.refuse(f"{what} is computed, and TFLite needs it beforehand")
        return found

    def maybe(self, node: Node, index: int, what: str) -> Array | None:
        """The same of an input that may be left out."""
        if index >= len(node.inputs) or node.inputs[index] == "":
            return None
        return self.needed(node, index, what)

    def value(self, name: str) -> Value:
        if name not in self.values:
            stored = self.constant(name)
            assert stored is not None, name
            array = stored.astype(held_as(stored.dtype.name), copy=False)
            self.values[name] = Value(self.store(name, array), plain(array.ndim))
        return self.values[name]

    def real(self, name: str) -> Value:
        """The value in float (or as the integers or truths that it is in ONNX)."""
        found = self.value(name)
        if not found.is_int8:
            return found
        key = id(found.tensor)
        if key not in self._real:
            self._real[key] = self.emit("DEQUANTIZE", [found.tensor], found.tensor.shape, "float32", name=name)
        return Value(self._real[key], found.order, shuffle=found.shuffle)

    def shape(self, name: str) -> Shape:
        return self.source.types[name][1]

    def dtype(self, name: str) -> str:
        return held_as(self.source.types[name][0])

    # -- tensors

    def name(self, wanted: str) -> str:
        found, count = wanted, 1
        while found in self._names:
            count += 1
            found = f"{wanted}:{count}"
        self._names.add(found)
        return found

    def store(self, name: str, array: Array, quant: Quant | None = None) -> Tensor:
        data = np.ascontiguousarray(array)
        return Tensor(self.name(name), data.shape if array.ndim else (), data.dtype.name, data, quant)

    def ints(self, name: str, values: Sequence[int] | Array) -> Tensor:
        return self.store(name, np.asarray(values, np.int32))

    def number(self, value: float, dtype: str = "float32") -> Tensor:
        return self.store("constant", np.asarray(value, dtype))

    def emit(
        self,
        kind: str,
        inputs: Sequence[Tensor | None],
        shape: Sequence[int],
        dtype: str,
        *,
        name: str,
        quant: Quant | None = None,
        **options: Any,
    ) -> Tensor:
        """An operator with one output."""
        made = Tensor(self.name(name), tuple(int(dim) for dim in shape), dtype, quant=quant)
        self.graph.ops.append(Op(kind, list(inputs), [made], {key: each for key, each in options.items() if each}))
        return made

    def emit_many(
        self,
        kind: str,
        inputs: Sequence[Tensor | None],
        outputs: Sequence[tuple[str, Sequence[int], str]],
        quant: Quant | None = None,
        **options: Any,
    ) -> list[Tensor]:
        """An operator with several outputs: name, shape and dtype of each."""
        made = [Tensor(self.name(name), tuple(shape), dtype, quant=quant) for name, shape, dtype in outputs]
        self.graph.ops.append(Op(kind, list(inputs), made, {key: each for key, each in options.items() if each}))
        return made

    def laid(self, value: Value, order: Order) -> Tensor:
        """The tensor with the value's axes in that order."""
        assert value.shuffle is None
        if value.order == order:
            return value.tensor
        tensor = value.tensor
        perm = tuple(value.order[axis] for axis in inverse(order))
        shape = tuple(tensor.shape[axis] for axis in perm)
        key = (id(tensor), perm)
        if key not in self._laid:
            if tensor.data is not None:
                self._laid[key] = self.store(tensor.name, tensor.data.transpose(perm), tensor.quant)
            else:
                real = [axis for axis in perm if tensor.shape[axis] != 1]
                kind, how = ("RESHAPE", shape) if real == sorted(real) else ("TRANSPOSE", perm)
                self._laid[key] = self.emit(
                    kind,
                    [tensor, self.ints(tensor.name + "/order", how)],
                    shape,
                    tensor.dtype,
                    name=tensor.name,
                    quant=tensor.quant,
                )
        return self._laid[key]

    def plainly(self, value: Value) -> Tensor:
        return self.laid(value, plain(len(value.order)))

    def reshaped(self, tensor: Tensor, shape: Sequence[int], name: str) -> Tensor:
        if tuple(shape) == tensor.shape:
            return tensor
        if tensor.data is not None:
            return self.store(name, tensor.data.reshape(shape), tensor.quant)
        return self.emit(
            "RESHAPE", [tensor, self.ints(name + "/shape", shape)], shape, tensor.dtype, name=name, quant=tensor.quant
        )

    def rounded(self, tensor: Tensor, quant: Quant) -> Tensor:
        """In these levels."""
        if tensor.quant == quant and tensor.dtype == "int8":
            return tensor
        key = (id(tensor), quant)
        if key not in self._levels:
            self._levels[key] = self.emit("QUANTIZE", [tensor], tensor.shape, "int8", name=tensor.name, quant=quant)
        return self._levels[key]

    # -- what nodes make

    def bind(self, name: str, tensor: Tensor, order: Order | None = None, **more: Any) -> None:
        found = Value(tensor, plain(len(tensor.shape)) if order is None else order, **more)
        wanted = self.source.types.get(name)
        assert wanted is None or wanted[1] == found.shape, f"{name}: {found.shape}, and ONNX has {wanted[1]}"
        self.values[name] = found

    def bind_tail(self, tail: Tail, tensor: Tensor, order: Order | None = None) -> None:
        """The result of an operator that has its tail in it."""
        self.done.update(id(node) for node in tail.taken)
        if tail.quant is None:
            self.bind(tail.name, tensor, order)
        for name in tail.levels:
            self.bind(name, tensor, order, levels=True)

    def alike(
        self, node: Node, value: Value, kind: str, inputs: Sequence[Tensor | None] | None = None, **options: Any
    ) -> None:
        """An operator whose output has the shape and the order of `value`."""
        name, tensor = node.outputs[0], value.tensor
        made = self.emit(kind, inputs or [tensor], tensor.shape, self.dtype(name), name=name, **options)
        self.bind(name, made, value.order)

    # -- what follows

    def only_reader(self, name: str) -> Node | None:
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.source.outputs else None

    def tail(self, node: Node, *, fused: bool = True, value: str | None = None) -> Tail:
        """`fused`: the operator has activations."""
        name, taken, activation = value or node.outputs[0], [], "NONE"
        follower = self.only_reader(name)
        limits = self.clip(follower) if follower is not None else None
        clipped: tuple[float, float] | None = None
        if follower is not None and limits is not None:
            kind = _FUSED.get(limits)
            if fused and kind:
                activation, name, taken = kind, follower.outputs[0], [follower]
            else:
                clipped = limits
        behind = follower.outputs[0] if clipped is not None and follower is not None else name
        quant, quantisers = self._quantisers(behind)
        if clipped is not None:
            if quant is None or not _covers(clipped, quant):
                return Tail(activation, name, None, [], taken)
            taken = [*taken, follower] if follower is not None else taken
        return Tail(
            activation, name, quant, [each.outputs[0] for each in quantisers], [*taken, *(quantisers if quant else ())]
        )

    def unrounded(self, tail: Tail) -> Tail:
        """The same where the operator computes in float: rounding is left to its own node."""
        if tail.quant is None:
            return tail
        fused = [node for node in tail.taken if node.op != "QuantizeLinear"]
        behind = [node for node in fused if tail.name in node.outputs]
        return Tail(tail.activation, tail.name, None, [], behind)

    def _quantisers(self, name: str) -> tuple[Quant | None, list[Node]]:
        """Where all that read the value round it, and alike."""
        readers = self.readers.get(name, [])
        if not readers or name in self.source.outputs or any(each.op != "QuantizeLinear" for each in readers):
            return None, []
        quants = {self.levels_of(each) for each in readers}
        if len(quants) != 1 or None in quants:
            return None, []
        return quants.pop(), readers

    def clip(self, node: Node) -> tuple[float, float] | None:
        """The limits of a Relu or Clip that are known."""
        if node.op == "Relu":
            return 0.0, np.inf
        if node.op != "Clip" or self.dtype(node.inputs[0]) != "float32":
            return None
        found = []
        for index, key, default in ((1, "min", -np.inf), (2, "max", np.inf)):
            name = node.inputs[index] if index < len(node.inputs) else ""
            stored = self.constant(name) if name else np.asarray(node.get(key, default))
            if stored is None:
                return None
            found.append(float(stored))
        return found[0], found[1]

    def levels_of(self, node: Node) -> Quant | None:
        """Of a QuantizeLinear or DequantizeLinear with one scale for the whole tensor, in int8; None for another."""
        scale = self.source.constants.get(node.inputs[1])
        zero = self.source.constants.get(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
        if scale is None or scale.size != 1:
            return None
        kind = self.source.types[node.outputs[0] if node.op == "QuantizeLinear" else node.inputs[0]][0]
        if kind not in ("int8", "uint8"):
            return None
        level = int(zero.reshape(-1)[0]) if zero is not None else 0
        return Quant.one(float(scale.reshape(-1)[0]), level - (128 if kind == "uint8" else 0))


def _covers(limits: tuple[float, float], quant: Quant) -> bool:
    """Whether the range of the levels lies within the limits, so that rounding does what the clip does."""
    step = quant.scale[0]
    low, high = (step * (end - quant.zero[0]) for end in (-128, 127))
    return low >= limits[0] - step / 2 and high <= limits[1] + step / 2


def size(shape: Shape) -> int:
    return prod(shape)
