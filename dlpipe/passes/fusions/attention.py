"""Scaled dot-product attention, however it is written out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from .fusion import Fusion, Group, Prepared
from .heads import Wanted, side_by_side, with_heads
from .match import dims, maker, number, private, rank, sides, stored
from .sizes import Sizes
from .views import View

_OPSET = 23
_MAX_MASK = 1 << 22  # elements of a stored mask that is written out to its full size


class FuseAttention(Fusion):
    """Recognise attention, with its heads.

        q[B,S,E] -> Reshape[B,S,H,D] -> Transpose -> Mul(a) \\
        k ->          the same       -> Transpose -> Mul(b) -> MatMul -> Mul(c) -> Add(mask) -> Softmax \\
        v ->          the same       -------------------------------------------------------------> MatMul
          -> Transpose -> Reshape[B,S,E] -> y
        becomes   Attention<q_num_heads = H, kv_num_heads = H, scale = a*b*c>(q, k, v, mask) -> y

    The scale may be at any of these places, and a Div. How the heads are split, the keys turned and repeated for
    groups of heads (GQA) may be written in any way: the moves are followed element by element. Where q, k and v do not
    come with the heads side by side, or the result does not leave so, the operator takes and gives four dims. The
    IsNaN -> Where with which PyTorch's exporter guards masked rows goes: the operator gives zeros there as well.
    Requires opset 23, shapes whose free dims have names (where a Reshape's target is computed from free dims they
    have none: `specialise` settles that), at most 4 M elements in each operand and, for a mask that is not stored and
    not of the full size, known sequence lengths. Ensures fewer nodes. Exact up to rounding where the scores are
    finite; a row that a mask hides completely is zero instead of NaN. Sources: Vaswani et al. 2017, Ainslie et al.
    2023 (GQA), and the operator's definition.
    """

    opsets = (_OPSET,)

    def find(self, last: ir.Node, opset: int) -> Group | None:
        if opset < _OPSET:
            return None
        merged, product, nodes = _merge(last)
        core = _core(product) if product is not None else None
        if core is None:
            return None
        return _group(core, [*nodes, *core.nodes], merged=merged)


@dataclass(frozen=True, slots=True)
class _Core:
    """softmax(scale * q @ k + mask) @ v, as it stands, over `scores` (their shape)."""

    q: ir.Value
    k: ir.Value
    turned: bool  # the last two dims of k are swapped
    v: ir.Value
    mask: ir.Value | None
    scores: ir.Value | None
    scale: float
    heads: int
    nodes: list[ir.Node]
    attributes: Mapping[str, Any] = field(default_factory=dict)


def _merge(last: ir.Node) -> tuple[bool, ir.Node | None, list[ir.Node]]:
    """(whether `last` ends heads that are put side by side, the product that it ends or is, the nodes between)."""
    if last.op_type in ("MatMul", "Attention"):
        return False, last, []
    after = last if last.op_type == "Reshape" else None
    turn = maker(after.inputs[0], "Transpose") if after is not None else last if last.op_type == "Transpose" else None
    product = maker(turn.inputs[0], "MatMul", "Attention") if turn is not None else None
    if turn is None or product is None or rank(product.outputs[0]) != 4:
        return False, None, []
    sizes, value = Sizes(product.outputs[0]), last.outputs[0]
    view = View(product.outputs[0], sizes)
    seen = view.of(value)
    if seen is None or not np.array_equal(seen.ravel(), view.base.transpose(0, 2, 1, 3).ravel()):
        return False, None, []
    if after is None:
        return (True, product, [turn]) if _shape_alone_counts(value) else (False, None, [])
    batch, heads, length, width = view.base.shape
    fits = seen.shape == (batch, length, heads * width)
    return (True, product, [after, turn]) if fits else (False, None, [])


def _shape_alone_counts(value: ir.Value) -> bool:
    """Whether a Reshape reads it, to a target that does not depend on the input's dims."""
    reshape = value.consumers()[0] if private(value) else None
    if reshape is None or reshape.op_type != "Reshape" or reshape.domain != "" or reshape.inputs[0] is not value:
        return False
    target = stored(reshape.inputs[1], 16)
    return target is not None and (bool((target != 0).all()) or bool(reshape.attributes.get_int("allowzero", 0)))


def _core(product: ir.Node) -> _Core | None:
    return _from_operator(product) if product.op_type == "Attention" else _written_out(product)


def _from_operator(node: ir.Node) -> _Core | None:
    """An Attention of four dims, of which nothing but the result is read and nothing but a mask is given."""
    q, k, v = node.inputs[:3]
    single = not any(value.uses() or value.is_graph_output() for value in node.outputs[1:])
    if not single or any(value is not None for value in node.inputs[4:]) or q is None or k is None or v is None:
        return None
    shape = dims(q)
    if shape is None or len(shape) != 4 or not isinstance(shape[1], int) or not isinstance(shape[3], int):
        return None
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    scale = attributes.pop("scale", 1 / math.sqrt(shape[3]))
    mask = node.inputs[3] if len(node.inputs) > 3 else None
    return _Core(q, k, False, v, mask, None, scale, shape[1], [node], attributes)


def _written_out(product: ir.Node) -> _Core | None:
    v = product.inputs[1]
    guard = maker(product.inputs[0], "Where")
    softmax = maker(_unguarded(guard) if guard is not None else product.inputs[0], "Softmax")
    size = rank(product.inputs[0])
    if (
        softmax is None
        or v is None
        or size not in (3, 4)
        or softmax.attributes.get_int("axis", -1) not in (-1, size - 1)
    ):
        return None
    nodes = [product, softmax]
    if guard is not None:
        test = guard.inputs[0].producer() if guard.inputs[0] is not None else None
        assert test is not None
        nodes += [guard, test]
    scores, mask = softmax.inputs[0], None
    add = maker(scores, "Add")
    if add is not None:
        for value, other in sides(add):
            if maker(value, "MatMul", "Mul", "Div") is not None and _scaled_product(value) is not None:
                scores, mask = value, other
                break
        else:
            return None
        nodes.append(add)
    found = _scaled_product(scores)
    if found is None:
        return None
    inner, scale, more = found
    q, turned = inner.inputs
    if q is None or turned is None or rank(q) != size or rank(turned) != size or rank(v) != size:
        return None
    heads = q.shape[1] if size == 4 and q.shape is not None else 1
    if not isinstance(heads, int):
        return None
    return _Core(q, turned, True, v, mask, inner.outputs[0], scale, heads, [*nodes, *more])


def _unguarded(guard: ir.Node) -> ir.Value | None:
    """s of Where(IsNaN(s), 0, s)."""
    test, zero = maker(guard.inputs[0], "IsNaN"), number(guard.inputs[1])
    softmax = guard.inputs[2]
    return softmax if test is not None and zero == 0.0 and test.inputs[0] is softmax else None


def _scaled_product(value: ir.Value | None) -> tuple[ir.Node, float, list[ir.Node]] | None:
    """(MatMul, factor, nodes) of factor * MatMul."""
    node = maker(value, "MatMul", "Mul", "Div")
    if node is None:
        return None
    if node.op_type == "MatMul":
        return node, 1.0, [node]
    for product, factor in sides(node) if node.op_type == "Mul" else [tuple(node.inputs)]:
        inner, scale = maker(product, "MatMul"), number(factor)
        if inner is not None and scale is not None and (scale or node.op_type == "Mul"):
            return inner, scale if node.op_type == "Mul" else 1 / scale, [node, inner]
    return None


def _group(core: _Core, nodes: list[ir.Node], *, merged: bool) -> Group | None:
    flat = merged or rank(core.q) == 3
    find = side_by_side if flat else with_heads
    q = find(Wanted(core.q, core.heads))
    k = find(Wanted(core.k, core.heads, turned=core.turned))
    v = find(Wanted(core.v, core.heads, scaled=False))
    if q is None or k is None or v is None or q.heads != core.heads or k.heads != v.heads:
        return None
    if nodes[0].op_type == "Attention" and k.heads == core.heads:
        return None  # as it is
    scale = core.scale * q.scale * k.scale
    mask = _mask(core) if core.mask is not None else None
    if not scale > 0.0 or (core.mask is not None and mask is None):
        return None
    attributes: dict[str, Any] = {**core.attributes, "scale": scale}
    if flat:
        attributes |= {"q_num_heads": core.heads, "kv_num_heads": k.heads}
    inputs = [q.value, k.value, v.value, *([] if mask is None else [mask])]
    return Group("Attention", inputs, nodes, attributes, shape=_shape(core, nodes[0]) if flat else None)


def _shape(core: _Core, last: ir.Node) -> ir.Shape | None:
    """Of what the operator makes with the heads side by side; None where `last` makes just that."""
    if last.op_type != "Transpose":
        return None
    q, v = dims(core.q), dims(core.v)
    if q is None or v is None:
        return None
    width = v[3] * core.heads if isinstance(v[3], int) else None
    return ir.Shape([q[0], q[2], width])


def _mask(core: _Core) -> Any:
    """The mask in a shape that the operator takes: its last two dims are full, and those before broadcast. A weight, a
    value, or a value to expand; None where it cannot be had."""
    mask = core.mask
    if core.scores is None or mask is None:
        return mask  # that of an operator, which fits
    sizes = Sizes(core.scores)
    scores, own = sizes.of(core.scores), sizes.of(mask)
    if scores is None or own is None or len(own) > len(scores) or mask.dtype != core.q.dtype:
        return None
    if any(size not in (1, full) for size, full in zip(own[::-1], scores[::-1], strict=False)):
        return None
    if len(scores) == 3 and len(own) == 3 and own[0] != 1:
        return None  # it would be taken for one mask per head
    full = len(own) >= 2 and own[-2:] == scores[-2:]
    array = stored(mask, _MAX_MASK)
    if full:
        return mask if array is None else array
    lengths = [size for size in list(core.scores.shape or ())[-2:] if isinstance(size, int)]
    if len(lengths) < 2:
        return None
    if array is not None:
        return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:-2], *lengths)))
    return Prepared("Expand", mask, [*(1 for _ in own[:-2]), *lengths])
