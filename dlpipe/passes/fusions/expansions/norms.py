"""Layer norm and RMS norm."""

import onnx_ir as ir

from ..match import rank
from .writing import Left, Writer, given, only_first_output

_AXES_AS_INPUT = 18  # the opset since which ReduceMean takes them so


def layer_norm(node: ir.Node, opset: int) -> ir.Value:
    """(x - mean) / sqrt(var + epsilon) * scale + bias."""
    only_first_output(node)
    x, axes, to = given(node, 0), _axes(node), Writer(node)
    wide = _widened(node, to, x)
    deviation = to.op("Sub", wide, _mean(to, wide, axes, opset))
    made = _scaled(node, to, deviation, axes, opset)
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    return made if bias is None else to.op("Add", made, bias)


def rms_norm(node: ir.Node, opset: int) -> ir.Value:
    """x / sqrt(mean(x^2) + epsilon) * scale."""
    x, axes, to = given(node, 0), _axes(node), Writer(node)
    return _scaled(node, to, _widened(node, to, x), axes, opset)


def _axes(node: ir.Node) -> list[int]:
    size, axis = rank(given(node, 0)), node.attributes.get_int("axis", -1)
    if axis >= 0 and size is None:
        raise Left("the rank of its input is not known")
    return list(range(axis if axis < 0 else axis - (size or 0), 0))


def _widened(node: ir.Node, to: Writer, x: ir.Value) -> ir.Value:
    """In the type in which the statistics are computed."""
    stash = node.attributes.get_int("stash_type", 1)
    return x if x.dtype in (stash, ir.DataType.DOUBLE) else to.cast(x, ir.DataType(stash))


def _mean(to: Writer, value: ir.Value, axes: list[int], opset: int) -> ir.Value:
    if opset < _AXES_AS_INPUT:
        return to.op("ReduceMean", value, axes=axes, keepdims=1)
    return to.op("ReduceMean", value, to.sizes(*axes), keepdims=1)


def _scaled(node: ir.Node, to: Writer, value: ir.Value, axes: list[int], opset: int) -> ir.Value:
    """value / sqrt(mean(value^2) + epsilon), in the node's own type, times its scale."""
    # Where the square is a Pow pnnx takes these operators for a layer norm: rightly over one axis, wrongly over more.
    square = to.op("Mul", value, value) if len(axes) > 1 else to.op("Pow", value, to.weight(2.0, value))
    variance = _mean(to, square, axes, opset)
    epsilon = to.weight(node.attributes.get_float("epsilon", 1e-5), value)
    made = to.op("Div", value, to.op("Sqrt", to.op("Add", variance, epsilon)))
    x, scale = given(node, 0), given(node, 1)
    return to.op("Mul", made if made.dtype == x.dtype or x.dtype is None else to.cast(made, x.dtype), scale)
