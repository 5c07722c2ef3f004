"""Where the boxes and lines of the drawn pipeline go: a layered layout, left to right.

K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system structures", IEEE SMC 1981:
longest-path layers, then the barycentre rule to keep lines from crossing. A line over several layers is not routed
around the boxes between (the graphs are small); it is drawn behind them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BOX = (176, 52)
GAP = (44, 16)
MARGIN = 6


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


def layout(after: Mapping[str, Sequence[str]]) -> Layout:
    """after: node -> the nodes it follows. Unknown names are left out; a cycle is cut where it closes."""
    parents = {node: [each for each in dict.fromkeys(before) if each in after] for node, before in after.items()}
    layers = _ordered(_layers(parents), parents)
    tallest = max((len(layer) for layer in layers), default=0)
    height = tallest * (BOX[1] + GAP[1]) - GAP[1]
    places: dict[str, Box] = {}
    for column, layer in enumerate(layers):
        top = (height - (len(layer) * (BOX[1] + GAP[1]) - GAP[1])) / 2
        for row, node in enumerate(layer):
            places[node] = Box(node, MARGIN + column * (BOX[0] + GAP[0]), MARGIN + top + row * (BOX[1] + GAP[1]))
    lines = [(each, node, _curve(places[each], places[node])) for node in places for each in parents[node]]
    width = len(layers) * (BOX[0] + GAP[0]) - GAP[0] if layers else 0
    return Layout(width + 2 * MARGIN, max(0, height) + 2 * MARGIN, tuple(places.values()), tuple(lines))


def _layers(parents: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Each node one layer right of its last parent. Rounds are bounded, so that a cycle ends."""
    depth = dict.fromkeys(parents, 0)
    for _ in parents:
        deeper = {node: max((depth[each] + 1 for each in before), default=0) for node, before in parents.items()}
        if deeper == depth:
            break
        depth = {node: min(value, len(parents) - 1) for node, value in deeper.items()}
    # A root stands beside its first child, not at the far left.
    children: dict[str, list[str]] = {}
    for node, before in parents.items():
        for each in before:
            children.setdefault(each, []).append(node)
    for node, before in parents.items():
        if not before and node in children:
            depth[node] = max(0, min(depth[child] for child in children[node]) - 1)
    used = sorted(set(depth.values()))
    return [[node for node in parents if depth[node] == level] for level in used]


def _ordered(layers: list[list[str]], parents: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Each layer sorted by the mean place of its parents in the layer before."""
    place: dict[str, float] = {}
    result = []
    for layer in layers:
        means = {
            node: sum(place.get(each, 0.0) for each in parents[node]) / len(parents[node]) if parents[node] else -1.0
            for node in layer
        }
        ordered = sorted(layer, key=lambda node: means[node])
        for row, node in enumerate(ordered):
            place[node] = row - (len(ordered) - 1) / 2
        result.append(ordered)
    return result


def _curve(start: Box, end: Box) -> str:
    x1, y1 = start.x + BOX[0], start.y + BOX[1] / 2
    x2, y2 = end.x, end.y + BOX[1] / 2
    bend = max(GAP[0] / 2, (x2 - x1) / 2)
    return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
