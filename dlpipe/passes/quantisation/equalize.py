"""Ranges of weights made equal across layers."""

from typing import Any

import numpy as np
import onnx_ir as ir

from ..graph.infra import GraphPass, Rewritten, Work
from ..graph.unused import remove_unused
from .scaling.links import Link, Side, links

_LAYERS = frozenset({"Conv", "Gemm", "MatMul"})
_ROUNDS = 50
_SETTLED = 0.01  # how far from 1 the scales of a last round may be
_MOST = 1e3  # by how much a channel is scaled at most


class Equalize(GraphPass):
    """Cross-layer equalisation: where one layer's weights of a channel are large and the next layer's are small.

        x -> Conv(W1, b1) -> Relu -> Conv(W2) -> y
        becomes
        x -> Conv(W1 / s, b1 / s) -> Relu -> Conv(W2 * s) -> y     s = sqrt(max |W1| / max |W2|), channel by channel

    The same between Conv, Gemm and MatMul, depthwise ones too, through Relu, LeakyRelu and pooling, again and again
    until nothing moves. For weights with one scale per tensor, as some NPUs want them; where every output channel has
    its own, `smooth-quant` does more. Requires nothing. What lies before a Clip stays, whose bounds would have to
    differ by channel. Ensures finite weights. Exact up to rounding: what stands between is homogeneous. Source: Nagel
    et al. 2019, section 4.1.
    """

    def __init__(self) -> None:
        self._moved: list[Link] = []

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        found = [link for link in links(model.graph) if all(side.node.op_type in _LAYERS for side in link.makers)]
        changes = []
        for link, scale in zip(found, _settled(found, work), strict=True):
            if np.abs(scale - 1).max(initial=0) > _SETTLED:
                link.move(scale)
                self._moved.append(link)
                changes.append(f"{link.value.name}: channels times {1 / scale.max():.3g} to {1 / scale.min():.3g}")
        if changes:
            remove_unused(model)
        return Rewritten(model, changes)

    def ensures(self, model: ir.Model) -> None:
        del model
        assert all(np.isfinite(side.array).all() for link in self._moved for side in (*link.makers, *link.readers))


def _settled(found: list[Link], work: Work) -> list[Any]:
    """The scales of each link, once its two ranges are equal or the rounds are over."""
    weights: dict[tuple[ir.Node, int], Any] = {}
    for link in found:
        for side in (link.makers[0], *link.readers):
            weights[side.node, side.index] = np.abs(side.array)
    totals: list[Any] = [1.0 for _ in found]

    def rows(side: Side) -> Any:
        return side.channels_first(weights[side.node, side.index])

    for number in range(_ROUNDS):
        furthest = 0.0
        for index, link in enumerate(found):
            made = rows(link.makers[0])
            made = made.reshape(len(made), -1).max(axis=1)
            read = np.max([rows(side).reshape(len(made), -1).max(axis=1) for side in link.readers], axis=0)
            alive = (made > 0) & (read > 0)
            wanted = np.sqrt(np.where(alive, made, 1.0) / np.where(alive, read, 1.0)) * totals[index]
            scale = np.clip(wanted, 1 / _MOST, _MOST) / totals[index]
            for side, factor in ((link.makers[0], 1 / scale), *((side, scale) for side in link.readers)):
                array = rows(side)
                weights[side.node, side.index] = side.restored(array * factor.reshape(-1, *[1] * (array.ndim - 1)))
            totals[index] = totals[index] * scale
            furthest = max(furthest, float(np.abs(scale - 1).max(initial=0)))
        work.progress("equalising", (number + 1) / _ROUNDS)
        if furthest <= _SETTLED:
            break
    return totals
