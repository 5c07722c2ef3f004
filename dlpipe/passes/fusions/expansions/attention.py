"""Attention."""

import math

import numpy as np
import onnx_ir as ir

from ..match import dims, rank, stored
from .writing import Left, Writer, given, only_first_output

_PLAIN = {"left_window_size": -1, "right_window_size": -1}  # what is not written out otherwise


def attention(node: ir.Node, opset: int) -> ir.Value:
    """softmax(scale * q @ k' + mask) @ v, of heads. Without a past, windows and outputs beside the result."""
    del opset
    only_first_output(node)
    q, k, v = (given(node, index) for index in range(3))
    mask = node.inputs[3] if len(node.inputs) > 3 else None
    if any(value is not None for value in node.inputs[4:]):
        raise Left("it has a past, or lengths of its own")
    if any(node.attributes.get_int(name, plain) != plain for name, plain in _PLAIN.items()):
        raise Left("it looks through a window")
    if node.attributes.get_int("softmax_precision", int(q.dtype or 0)) != q.dtype:
        raise Left("its softmax has a precision of its own")
    flat, heads = _heads(node, q, k)
    width = _width(q, heads[0] if flat else None)
    length = _causal_lengths(q, k) if node.attributes.get_int("is_causal", 0) else None
    mask_fits(mask, k)

    to = Writer(node)
    if flat:
        q, k, v = (_split(to, value, count) for value, count in ((q, heads[0]), (k, heads[1]), (v, heads[1])))
    if heads[0] != heads[1]:
        k, v = (
            _repeated(to, k, heads, width),
            _repeated(to, v, heads, _width(given(node, 2), heads[1] if flat else None)),
        )
    scale = node.attributes.get_float("scale", 1 / math.sqrt(width))
    scores = to.op("MatMul", to.op("Mul", q, to.weight(scale, q)), to.op("Transpose", k, perm=[0, 1, 3, 2]))
    if cap := node.attributes.get_float("softcap", 0.0):
        scores = to.op("Mul", to.op("Tanh", to.op("Div", scores, to.weight(cap, q))), to.weight(cap, q))
    if length is not None:
        above = np.triu(np.full(length, -np.inf), 1)
        scores = to.op("Add", scores, to.weight(above, q))
    if mask is not None:
        scores = to.op("Add", scores, mask if mask.dtype == q.dtype else _additive(to, mask, q))
    weights = to.op("Softmax", scores, axis=-1)
    if mask is not None and _may_hide_a_row(mask, causal=length is not None):
        weights = to.op("Where", to.op("IsNaN", weights), to.weight(0.0, q), weights)
    made = to.op("MatMul", weights, v)
    return to.op("Reshape", to.op("Transpose", made, perm=[0, 2, 1, 3]), to.sizes(0, 0, -1)) if flat else made


def _heads(node: ir.Node, q: ir.Value, k: ir.Value) -> tuple[bool, tuple[int, int]]:
    """(whether they come side by side, (of the queries, of the keys))."""
    if rank(q) == 3:
        return True, (node.attributes.get_int("q_num_heads", 0), node.attributes.get_int("kv_num_heads", 0))
    shapes = dims(q), dims(k)
    found = [shape[1] for shape in shapes if shape is not None and len(shape) == 4 and isinstance(shape[1], int)]
    if len(found) != len(shapes):
        raise Left("the number of its heads is not known")
    return False, (found[0], found[1])


def _width(value: ir.Value, heads: int | None) -> int:
    """Of one head."""
    size = value.shape[-1] if value.shape is not None else None
    if not isinstance(size, int) or heads == 0:
        raise Left("the width of its heads is not known")
    return size // (heads or 1)


def _causal_lengths(q: ir.Value, k: ir.Value) -> tuple[int, int]:
    found = [value.shape[-2] for value in (q, k) if value.shape is not None]
    if len(found) < 2 or not isinstance(found[0], int) or not isinstance(found[1], int):
        raise Left("it is causal, and the length of its sequences is not known")
    return found[0], found[1]


def mask_fits(mask: ir.Value | None, k: ir.Value) -> None:
    """The operator pads a mask that is too short."""
    own, keys = (mask.shape, k.shape) if mask is not None else (None, None)
    if mask is not None and (own is None or keys is None or own[-1] not in (1, keys[-2])):
        raise Left("its mask may be shorter than the keys")


def _split(to: Writer, value: ir.Value, heads: int) -> ir.Value:
    """[B, S, heads * D] -> [B, heads, S, D]."""
    return to.op("Transpose", to.op("Reshape", value, to.sizes(0, 0, heads, -1)), perm=[0, 2, 1, 3])


def _repeated(to: Writer, value: ir.Value, heads: tuple[int, int], width: int) -> ir.Value:
    """Each head of the keys once for every query head of its group."""
    groups = to.op("Expand", to.op("Unsqueeze", value, to.sizes(2)), to.sizes(1, 1, heads[0] // heads[1], 1, 1))
    return to.op("Reshape", groups, to.sizes(0, heads[0], -1, width))


def _additive(to: Writer, mask: ir.Value, q: ir.Value) -> ir.Value:
    """0 where a mask of bools is true, else -inf."""
    array = stored(mask)
    if array is not None:
        return to.weight(np.where(array, 0.0, -np.inf), q)
    return to.op("Where", mask, to.weight(0.0, q), to.weight(-np.inf, q))


def _may_hide_a_row(mask: ir.Value, *, causal: bool) -> bool:
    """A row of -inf alone would be NaN, and the operator makes it zero."""
    array = stored(mask)
    if array is None or causal:
        return True
    hidden = ~array if array.dtype == np.bool_ else np.isneginf(array)
    return bool(hidden.all(axis=-1).any())
