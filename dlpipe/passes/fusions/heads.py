"""Where the operands of an attention come from: with the heads in a dim of their own, or side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from .fusion import Prepared
from .match import dims, maker, number, private, rank
from .sizes import Sizes
from .views import View, chain


@dataclass(frozen=True, slots=True)
class Operand:
    """`value`, times `scale`, has the numbers of the operand, in `heads` heads (fewer than the queries': GQA)."""

    value: ir.Value | Prepared
    heads: int
    scale: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is sought for `value`, [B, heads, S, D] or [B, S, D]; `turned`: its last two dims are swapped."""

    value: ir.Value
    heads: int
    turned: bool = False
    scaled: bool = True  # products with a number may lie between


def with_heads(wanted: Wanted) -> Operand | None:
    """The value furthest up that the wanted one is a view of, as [B, heads, S, D]."""
    for base, scale in reversed(list(_bases(wanted))):
        seen, view = _seen(wanted, base)
        heads = _groups(view.base, seen, wanted.heads) if seen is not None and view.base.ndim == 4 else None
        if heads is not None:
            return Operand(base, heads, scale)
    return None


def side_by_side(wanted: Wanted) -> Operand | None:
    """The same, as [B, S, heads * D]: such a value, or one that becomes it by a Reshape in place of other moves."""
    bases = list(_bases(wanted))
    for exact in (True, False):
        for base, scale in reversed(bases):
            seen, view = _seen(wanted, base)
            if seen is None or view.base.size % (seen.shape[0] * seen.shape[2] * seen.shape[3] or 1):
                continue
            batch, length, width = seen.shape[0], seen.shape[2], seen.shape[3]
            hidden = view.base.size // (batch * length)
            if exact and view.base.shape != (batch, length, hidden):
                continue
            split = view.base.reshape(batch, length, hidden // width, width).transpose(0, 2, 1, 3)
            heads = _groups(split, seen, wanted.heads)
            value = base if exact else _reshaped(wanted, base, hidden)
            if heads is not None and value is not None:
                return Operand(value, heads, scale)
    return None


def _bases(wanted: Wanted) -> Iterator[tuple[ir.Value, float]]:
    """What the wanted value is a view of, with the factor between the two."""
    scale = 1.0
    above: ir.Value | None = None
    for base in chain(wanted.value, *(("Mul", "Div") if wanted.scaled else ())):
        node = maker(above, "Mul", "Div")
        if node is not None:
            factor = next(each for each in map(number, node.inputs) if each is not None)
            if factor == 0.0:
                return
            scale = scale * factor if node.op_type == "Mul" else scale / factor
        yield base, scale
        above = base


def _seen(wanted: Wanted, base: ir.Value) -> tuple[Any, View]:
    """The elements of `base` as [B, heads, S, D]; None where the wanted value is not made of them alone."""
    sizes = Sizes(base)
    view = View(base, sizes, scaled=wanted.scaled)
    seen = view.of(wanted.value)
    if seen is None or seen.ndim != rank(wanted.value) or not seen.size:
        return None, view
    seen = np.swapaxes(abs(seen), -1, -2) if wanted.turned else abs(seen)  # the sign is the scale's
    return (seen[:, None] if seen.ndim == 3 else seen), view


def _groups(source: Any, seen: Any, heads: int) -> int | None:
    """The number of heads of `source`, if `seen` is those heads, each repeated for its group."""
    own = int(source.shape[1])
    if not own or heads % own or source.size * (heads // own) != seen.size:
        return None
    return own if np.array_equal(source.repeat(heads // own, axis=1), seen) else None


def _reshaped(wanted: Wanted, base: ir.Value, hidden: int) -> Prepared | None:
    """`base` as [B, S, hidden]. The moves in whose place the Reshape comes must not be needed elsewhere."""
    between = list(chain(wanted.value, "Mul", "Div"))
    between = between[: between.index(base)]
    shape = dims(wanted.value)
    if not between or shape is None or not all(private(value) for value in between):
        return None
    batch, length = shape[0], shape[-1 if wanted.turned else -2]
    sizes = [size if isinstance(size, int) else -1 for size in (batch, length)]
    return Prepared("Reshape", base, [*sizes, hidden]) if sizes != [-1, -1] else None
