"""Shapes as numbers, with free dims as primes."""

from typing import Any

import numpy as np
import onnx_ir as ir

from .match import maker, size_of, stored

_PRIMES = (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43)
_MAX_DEPTH = 12
_ALIKE = ("Mul", "Div", "Add", "Sub", "Where", "Softmax", "IsNaN", "Identity", "Neg")
_SAME_NUMBERS = ("Unsqueeze", "Squeeze", "Reshape", "Cast", "Identity")
_MAX_NUMBERS = 64


class Sizes:
    """Numbers for free dims: a prime each, which divides no known size of `base`, so that dims of equal size by chance
    are not mistaken for each other. What shape inference leaves open is computed, with these numbers, from the
    operators that make the value and the targets of Reshapes and Expands."""

    def __init__(self, base: ir.Value) -> None:
        known = [size for size in base.shape or () if isinstance(size, int)]
        self._free = [prime for prime in _PRIMES if all(size % prime for size in known if size)]
        self._numbers: dict[str, int] = {}

    def of(self, value: ir.Value | None, depth: int = 0) -> list[int] | None:
        """None where a dim stays open."""
        if value is None or depth > _MAX_DEPTH:
            return None
        found = [self._size(size) for size in value.shape] if value.shape is not None else [None]
        whole = [size for size in found if size is not None]
        return whole if len(whole) == len(found) else self._computed(value, depth + 1)

    def _size(self, dim: Any) -> int | None:
        size = size_of(dim)
        if size is None or isinstance(size, int):
            return size
        if size not in self._numbers and len(self._numbers) >= len(self._free):
            return None
        return self._numbers.setdefault(size, self._free[min(len(self._numbers), len(self._free) - 1)])

    def _computed(self, value: ir.Value, depth: int) -> list[int] | None:
        node = maker(value, "Reshape", "Expand", "Transpose", "MatMul", *_ALIKE)
        if node is None:
            return None
        if node.op_type in ("Reshape", "Expand"):
            source, target = self.of(node.inputs[0], depth), self._ints(node.inputs[1], depth)
            if source is None or target is None:
                return None
            return _reshaped(node, source, target) if node.op_type == "Reshape" else _broadcast(source, target)
        shapes = [self.of(each, depth) for each in node.inputs if each is not None]
        known = [shape for shape in shapes if shape is not None]
        if len(known) < len(shapes):
            return None
        if node.op_type == "Transpose":
            return [known[0][axis] for axis in node.attributes.get_ints("perm", range(len(known[0]))[::-1])]
        if node.op_type == "MatMul":
            if min(map(len, known)) < 2:
                return None
            batch = _broadcast(known[0][:-2], known[1][:-2])
            return None if batch is None else [*batch, known[0][-2], known[1][-1]]
        return _broadcast(*known)

    def _ints(self, value: ir.Value | None, depth: int) -> list[int] | None:
        """What a small vector of whole numbers holds."""
        array = stored(value, _MAX_NUMBERS)
        if array is not None:
            return [int(each) for each in array.reshape(-1)] if array.dtype.kind == "i" else None
        node = maker(value, "Shape", "Concat", "Gather", "Slice", *_SAME_NUMBERS)
        if node is None or depth > _MAX_DEPTH:
            return None
        if node.op_type == "Shape":
            shape = self.of(node.inputs[0], depth + 1)
            start, end = node.attributes.get_int("start", 0), node.attributes.get_int("end", _MAX_NUMBERS)
            return None if shape is None else shape[start:end]
        read = [self._ints(each, depth + 1) for each in node.inputs if each is not None]
        if node.op_type in _SAME_NUMBERS:
            return read[0]
        known = [each for each in read if each is not None]
        if len(known) < len(read):
            return None
        if node.op_type == "Concat":
            return [number for each in known for number in each]
        if node.op_type == "Gather":
            return [known[0][index] for index in known[1]] if max(known[1], default=0) < len(known[0]) else None
        start, end, step = known[1][0], known[2][0], known[4][0] if len(known) > 4 else 1
        return known[0][start:end:step] if step > 0 else None


def _reshaped(node: ir.Node, source: list[int], target: list[int]) -> list[int] | None:
    if 0 in target and node.attributes.get_int("allowzero", 0):
        return None
    if any(size == 0 and axis >= len(source) for axis, size in enumerate(target)):
        return None
    sizes = [size or source[axis] for axis, size in enumerate(target)]
    if -1 in sizes:
        rest, total = int(np.prod([size for size in sizes if size != -1])), int(np.prod(source))
        if sizes.count(-1) > 1 or not rest or total % rest:
            return None
        sizes[sizes.index(-1)] = total // rest
    return sizes if np.prod(sizes) == np.prod(source) else None


def _broadcast(*shapes: list[int]) -> list[int] | None:
    try:
        return list(np.broadcast_shapes(*map(tuple, shapes)))
    except ValueError:
        return None
