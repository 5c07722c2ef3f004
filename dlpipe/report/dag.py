"""Where the boxes and lines of the drawn pipeline go: layers from left to right.

K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system structures", IEEE SMC 1981:
longest-path layers; a line over several layers passes those between in a lane of its own, so that no line runs behind
a box; barycentre sweeps keep the lines from crossing. Long chains of passes are stacked in one layer, so that the
picture of a usual run fits a page.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dlpipe.report.layers import Layers, Slot, arrange
from dlpipe.report.spread import spread

BOX = (180, 46)
BELOW = 12  # between two boxes of a layer
STACKED = 10  # between two boxes of a stack
BESIDE = (40, 104)  # between two layers: the least, and the most where lines have far to go
MARGIN = 6
_SWEEPS = 24


@dataclass(frozen=True, slots=True)
class Box:
    id: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Layout:
    """In CSS pixels. `lines` are SVG path data, each with the ids of its two ends."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[tuple[str, str, str], ...]


def layout(after: Mapping[str, Sequence[str]], *, stacked: Collection[str] = (), last: Collection[str] = ()) -> Layout:
    """after: node -> the nodes it follows. Unknown names are left out; a cycle is cut where it closes.
    stacked: nodes that stand below each other where one is the other's only parent and child.
    last: nodes that stand in the last layer, however early they could."""
    found = arrange(after, stacked, last)
    tops = _tops(found)
    lefts = _lefts(found, tops)
    boxes = {
        node: Box(node, lefts[slot.layer], round(tops[slot] + place * (BOX[1] + STACKED), 1))
        for layer in found.layers
        for slot in layer
        for place, node in enumerate(slot.nodes)
    }
    lines = [(start, end, _path(route, tops, lefts)) for (start, end), route in found.routes.items()]
    for layer in found.layers:
        for slot in layer:
            for above, below in pairwise(slot.nodes):
                x, y = boxes[above].x + BOX[0] / 2, boxes[above].y + BOX[1]
                lines.append((above, below, f"M{x:g} {y:g}V{boxes[below].y:g}"))
    bottoms = [tops[slot] + _height(slot) for layer in found.layers for slot in layer]
    width = lefts[-1] + BOX[0] if lefts else MARGIN
    return Layout(width + MARGIN, round(max(bottoms, default=MARGIN) + MARGIN, 1), tuple(boxes.values()), tuple(lines))


def _height(slot: Slot) -> float:
    return len(slot.nodes) * (BOX[1] + STACKED) - STACKED if slot.nodes else 0


def _enters(slot: Slot) -> float:
    """How far below the slot's top the lines arrive: at the middle of its first box."""
    return BOX[1] / 2 if slot.nodes else 0


def _leaves(slot: Slot) -> float:
    """How far below the slot's top the lines start: at the middle of its last box."""
    return _height(slot) - BOX[1] / 2 if slot.nodes else 0


def _tops(found: Layers) -> dict[Slot, float]:
    """Each slot as near to the height of what it is joined to as its neighbours in the layer let it be."""
    tops: dict[Slot, float] = {}
    for layer in found.layers:
        for slot, top in zip(layer, spread([0.0] * len(layer), [_height(each) + BELOW for each in layer]), strict=True):
            tops[slot] = top
    for sweep in range(_SWEEPS):
        for layer in found.layers if sweep % 2 == 0 else reversed(found.layers):
            wanted = []
            for slot in layer:
                ends = [tops[each] + _leaves(each) - _enters(slot) for each in found.before.get(slot, ())]
                ends += [tops[each] + _enters(each) - _leaves(slot) for each in found.behind.get(slot, ())]
                wanted.append(sum(ends) / len(ends) if ends else tops[slot])
            tops |= zip(layer, spread(wanted, [_height(each) + BELOW for each in layer]), strict=True)
    first = min(tops.values(), default=0)
    return {slot: round(top - first + MARGIN, 1) for slot, top in tops.items()}


def _lefts(found: Layers, tops: Mapping[Slot, float]) -> list[float]:
    """Of each layer. Lines that climb far get more room, so that they can be told apart."""
    lefts: list[float] = []
    for place, layer in enumerate(found.layers):
        if place == 0:
            lefts.append(MARGIN)
            continue
        climbs = [
            abs(tops[start] + _leaves(start) - tops[end] - _enters(end))
            for end in layer
            for start in found.before.get(end, ())
        ]
        room = min(BESIDE[1], BESIDE[0] + round(max(climbs, default=0) / 5))
        lefts.append(lefts[-1] + BOX[0] + room)
    return lefts


def _path(route: Sequence[Slot], tops: Mapping[Slot, float], lefts: Sequence[float]) -> str:
    """Bends between the layers only; through a layer it goes straight on."""
    x, y = lefts[route[0].layer] + BOX[0], tops[route[0]] + _leaves(route[0])
    path = f"M{x:g} {y:g}"
    for slot in route[1:]:
        left, level = lefts[slot.layer], tops[slot] + _enters(slot)
        middle = (x + left) / 2
        path += f"C{middle:g} {y:g} {middle:g} {level:g} {left:g} {level:g}"
        if not slot.nodes:
            path += f"H{left + BOX[0]:g}"
        x, y = left + BOX[0], level
    return path
