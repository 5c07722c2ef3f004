"""Rotary position embedding."""

import onnx_ir as ir

from ..match import dims, rank
from .writing import Left, Writer, given

_END = (1 << 63) - 1


def rotary(node: ir.Node, opset: int) -> ir.Value:
    """The pairs (a, b) of the last dim become (a*cos - b*sin, a*sin + b*cos)."""
    del opset
    x, cos, sin = (given(node, index) for index in range(3))
    heads, flat = node.attributes.get_int("num_heads", 0), rank(x) == 3
    shape = dims(x)
    width = shape[-1] if shape is not None else None
    if not isinstance(width, int) or (flat and not heads):
        raise Left("the width of its heads is not known")
    width = width // heads if flat else width
    turned = node.attributes.get_int("rotary_embedding_dim", 0) or width
    interleaved = bool(node.attributes.get_int("interleaved", 0))

    to = Writer(node)
    if flat:
        x = to.op("Transpose", to.op("Reshape", x, to.sizes(0, 0, heads, width)), perm=[0, 2, 1, 3])
    if len(node.inputs) > 3 and node.inputs[3] is not None:
        cos, sin = (to.op("Gather", table, node.inputs[3], axis=0) for table in (cos, sin))
    cos, sin = (to.op("Unsqueeze", table, to.sizes(1)) for table in (cos, sin))
    half = turned // 2
    if interleaved:
        a, b = _slice(to, x, 0, turned, 2), _slice(to, x, 1, turned, 2)
    else:
        a, b = _slice(to, x, 0, half), _slice(to, x, half, turned)
    real = to.op("Sub", to.op("Mul", a, cos), to.op("Mul", b, sin))
    imaginary = to.op("Add", to.op("Mul", a, sin), to.op("Mul", b, cos))
    if interleaved:
        pairs = [to.op("Unsqueeze", part, to.sizes(-1)) for part in (real, imaginary)]
        parts = [to.op("Reshape", to.op("Concat", *pairs, axis=-1), to.sizes(0, 0, 0, turned))]
    else:
        parts = [real, imaginary]
    if turned < width:
        parts.append(_slice(to, x, turned, _END))
    made = to.op("Concat", *parts, axis=-1) if len(parts) > 1 else parts[0]
    return (
        to.op("Reshape", to.op("Transpose", made, perm=[0, 2, 1, 3]), to.sizes(0, 0, heads * width)) if flat else made
    )


def _slice(to: Writer, x: ir.Value, start: int, end: int, step: int = 1) -> ir.Value:
    return to.op("Slice", x, to.sizes(start), to.sizes(end), to.sizes(-1), to.sizes(step))
