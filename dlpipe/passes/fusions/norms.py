"""LayerNormalization and RMSNormalization, however they are written out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from .fusion import Fusion, Group
from .match import FLOATS, maker, number, rank, sides, stored
from .polynomial import ARITHMETIC, Polynomial, Reading

_LAYER, _RMS = 17, 23  # the opsets that brought them
_DOUBLE = 11  # TensorProto.DOUBLE, as `stash_type`
_MAX_ELEMENTS = 1 << 16  # of scale and bias
_MAX_DEPTH = 5  # of arithmetic between the root and the end


class FuseNorms(Fusion):
    """Recognise layer norm and RMS norm.

        x -> ReduceMean -> m     x - m -> d     d -> Pow(2) -> ReduceMean -> Add(eps) -> Sqrt -> s
        d -> Div(s) -> Mul(scale) -> Add(bias) -> y           x -> LayerNormalization(scale, bias) -> y
        x*r + (bias - m*r), r = scale/s  (Keras)              the same
        x -> Div(s of x) -> Mul(scale) -> y                   x -> RMSNormalization(scale) -> y

    The arithmetic is compared as a polynomial in x, m and s, so the order in which it is written does not matter; the
    square may be a Pow or a Mul, the root a Sqrt or a Pow, its inverse a Reciprocal, a Div or a Pow. Scale and bias are
    taken in where they are stored and of the normalised shape; else the Mul or Add stays. Requires opset 17, or 23 for
    RMS norm, and that the axes are the last ones. Ensures fewer nodes. Exact up to rounding.
    Sources: Ba et al. 2016, Zhang and Sennrich 2019, and the operators' definitions.
    """

    opsets = (_LAYER, _RMS)

    def find(self, last: ir.Node, opset: int) -> Group | None:
        if opset < _LAYER or last.op_type not in ARITHMETIC:
            return None
        for root in _roots(last):
            found = _layer_norm(last, root) or (_rms_norm(last, root) if opset >= _RMS else None)
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class _Root:
    """`value` = sqrt(mean(square of `deviation`) + epsilon) to the power of `sign`, over the axes from `axis` on."""

    value: ir.Value
    sign: int
    deviation: ir.Value
    axis: int
    epsilon: float
    nodes: list[ir.Node]


def _layer_norm(last: ir.Node, root: _Root) -> Group | None:
    minus = maker(root.deviation, "Sub")
    x, centre = (minus.inputs[0], maker(minus.inputs[1], "ReduceMean")) if minus is not None else (None, None)
    if minus is None or x is None or centre is None or centre.inputs[0] is not x or _axis(centre) != root.axis:
        return None
    reading = Reading([x, centre.outputs[0], root.value], _MAX_ELEMENTS)
    read = reading.of(last.outputs[0])
    scale, bias = (read.get((1, 0, -root.sign)), read.get((0, 0, 0))) if read is not None else (None, None)
    if read is None or scale is None or not _terms(read, {(1, 0, -root.sign), (0, 1, -root.sign), (0, 0, 0)}):
        return None
    if not np.array_equal(-scale, read.get((0, 1, -root.sign), 0.0)):
        return None
    offset = np.zeros(()) if bias is None else bias  # ncnn has no layer norm without one
    return _made("LayerNormalization", x, root, [scale, offset], [last, *reading.nodes, *root.nodes, minus, centre])


def _rms_norm(last: ir.Node, root: _Root) -> Group | None:
    reading = Reading([root.deviation, root.value], _MAX_ELEMENTS)
    read = reading.of(last.outputs[0])
    if read is None or not _terms(read, {(1, -root.sign)}):
        return None
    scale = read[(1, -root.sign)]
    return _made("RMSNormalization", root.deviation, root, [scale], [last, *reading.nodes, *root.nodes])


def _terms(read: Polynomial, allowed: set[tuple[int, ...]]) -> bool:
    return bool(read) and set(read) <= allowed


def _made(operator: str, x: ir.Value, root: _Root, arrays: list[Any], nodes: list[ir.Node]) -> Group | None:
    """None where scale or bias do not fit the normalised shape."""
    shaped = [_of_shape(array, x, root.axis) for array in arrays]
    if any(array is None for array in shaped):
        return None
    attributes: dict[str, Any] = {"axis": root.axis, "epsilon": root.epsilon}
    if x.dtype == ir.DataType.DOUBLE:
        attributes["stash_type"] = _DOUBLE
    return Group(operator, [x, *shaped], nodes, attributes)


def _of_shape(array: Any, x: ir.Value, axis: int) -> Any:
    """The array in x's type with the shape of x from `axis` on; None if it has another, or that is not known."""
    if x.shape is None or x.dtype is None or len(x.shape) < -axis:
        return None
    shape = [size for size in list(x.shape)[axis:] if isinstance(size, int)]
    while array.ndim > len(shape) and array.shape[0] == 1:
        array = array[0]
    if len(shape) < -axis or (array.size > 1 and array.shape != tuple(shape)):
        return None
    return np.ascontiguousarray(np.broadcast_to(array, shape)).astype(x.dtype.numpy())


def _roots(last: ir.Node) -> Iterator[_Root]:
    """Those that `last` is arithmetic on, the nearest first."""
    level, seen = [last], {last}
    for _ in range(_MAX_DEPTH):
        above = [value for node in level for value in node.inputs]
        for value in above:
            found = _root(value)
            if found is not None:
                yield found
        makers = [maker(value, *ARITHMETIC) for value in above]
        level = [node for node in makers if node is not None and node not in seen]
        seen.update(level)


def _root(value: ir.Value | None) -> _Root | None:
    node = maker(value, "Sqrt", "Pow", "Reciprocal", "Div")
    if node is None or value is None:
        return None
    power = number(node.inputs[1]) if node.op_type == "Pow" else 0.5
    if node.op_type == "Reciprocal" or (node.op_type == "Div" and number(node.inputs[0]) == 1.0):
        above = maker(node.inputs[-1], "Sqrt", "Pow")
        if above is None or (above.op_type == "Pow" and number(above.inputs[1]) != 0.5):
            return None
        return _variance(value, -1, above.inputs[0], [node, above])
    if node.op_type == "Div" or power not in (0.5, -0.5):
        return None
    return _variance(value, 1 if power > 0 else -1, node.inputs[0], [node])


def _variance(value: ir.Value, sign: int, below: ir.Value | None, nodes: list[ir.Node]) -> _Root | None:
    add = maker(below, "Add")
    for variance, offset in sides(add) if add is not None else ():
        mean, epsilon = maker(variance, "ReduceMean"), number(offset)
        square = maker(mean.inputs[0], "Mul", "Pow") if mean is not None else None
        axis = _axis(mean) if mean is not None else None
        if add is None or mean is None or square is None or epsilon is None or axis is None or epsilon < 0:
            continue
        deviation, other = square.inputs
        squared = other is deviation if square.op_type == "Mul" else number(other) == 2.0
        if squared and deviation is not None and deviation.dtype in FLOATS:
            return _Root(value, sign, deviation, axis, epsilon, [*nodes, add, mean, square])
    return None


def _axis(mean: ir.Node) -> int | None:
    """The first of the axes, negative, if they are the last ones of the input and are kept."""
    given = stored(mean.inputs[1]) if len(mean.inputs) > 1 else None
    axes = list(mean.attributes.get_ints("axes", [])) if given is None else [int(axis) for axis in given.reshape(-1)]
    size = rank(mean.inputs[0])
    if not axes or size is None or not mean.attributes.get_int("keepdims", 1):
        return None
    axes = sorted(axis - size if axis >= 0 else axis for axis in axes)
    return axes[0] if axes == list(range(axes[0], 0)) else None
