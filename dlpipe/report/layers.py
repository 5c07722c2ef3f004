"""The layers of a drawn graph and the order within each: what stands in which column, above or below what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 8


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a layer: a stack of nodes, or (without nodes) the lane in which the lines of a node pass it."""

    layer: int
    nodes: tuple[str, ...]
    lane_of: str = ""


Joined = dict[Slot, list[Slot]]


@dataclass(frozen=True, slots=True)
class Layers:
    layers: list[list[Slot]]
    routes: dict[tuple[str, str], list[Slot]]  # (start, end) -> the slots on the way, both ends included
    before: Joined  # slot -> those of the layer to its left that it is joined to
    behind: Joined


def arrange(after: Mapping[str, Sequence[str]], stacked: Collection[str], last: Collection[str]) -> Layers:
    """after: node -> the nodes it follows; stacked: nodes that may share a slot. See `dag.layout`."""
    parents = _acyclic(after)
    slots = _slots(parents, stacked, last)
    layers: list[list[Slot]] = [[] for _ in range(1 + max((slot.layer for slot in slots.values()), default=-1))]
    for slot in dict.fromkeys(slots.values()):
        layers[slot.layer].append(slot)
    routes: dict[tuple[str, str], list[Slot]] = {}
    before: Joined = {}
    behind: Joined = {}
    for node, its in parents.items():
        for parent in its:
            start, end = slots[parent], slots[node]
            if start == end:
                continue
            lanes = [Slot(layer, (), lane_of=parent) for layer in range(start.layer + 1, end.layer)]
            for lane in lanes:
                if lane not in layers[lane.layer]:
                    layers[lane.layer].append(lane)
            routes[parent, node] = [start, *lanes, end]
            for left, right in zip([start, *lanes], [*lanes, end], strict=True):
                if left not in before.setdefault(right, []):
                    before[right].append(left)
                    behind.setdefault(left, []).append(right)
    return Layers(_ordered(layers, before, behind), routes, before, behind)


def _acyclic(after: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Parents of each node, nodes behind their parents."""
    waiting = {node: [each for each in dict.fromkeys(its) if each in after] for node, its in after.items()}
    done: dict[str, list[str]] = {}
    while waiting:
        free = next((node for node, its in waiting.items() if all(each in done for each in its)), next(iter(waiting)))
        done[free] = [each for each in waiting.pop(free) if each in done]
    return done


def _slots(parents: Mapping[str, Sequence[str]], stacked: Collection[str], last: Collection[str]) -> dict[str, Slot]:
    """Each slot one layer right of its last parent; a root stands beside its first child, not at the far left."""
    children: dict[str, list[str]] = {node: [] for node in parents}
    for node, its in parents.items():
        for each in its:
            children[each].append(node)
    stacks: dict[str, list[str]] = {}
    depth: dict[str, int] = {}  # of a stack's first node
    for node, its in parents.items():
        if len(its) == 1 and {its[0], node} <= set(stacked) and children[its[0]] == [node]:
            stacks[node] = stacks[its[0]]
            stacks[node].append(node)
        else:
            stacks[node] = [node]
            depth[node] = 1 + max((depth[stacks[each][0]] for each in its), default=-1)
    for first in depth:
        below = children[stacks[first][-1]]
        if not parents[first] and below:
            depth[first] = min(depth[stacks[child][0]] for child in below) - 1
        elif first in last and not below:
            depth[first] = max(depth.values())
    return {node: Slot(depth[stack[0]], tuple(stack)) for node, stack in stacks.items()}


def _ordered(layers: list[list[Slot]], before: Joined, behind: Joined) -> list[list[Slot]]:
    """Each layer by the mean place of what it is joined to, from the left and from the right in turn; the best wins."""
    best, fewest = layers, _crossings(layers, behind)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        joined = before if sweep % 2 == 0 else behind
        layers = _swept(layers if sweep % 2 == 0 else layers[::-1], joined)
        layers = layers if sweep % 2 == 0 else layers[::-1]
        crossings = _crossings(layers, behind)
        if crossings < fewest:
            best, fewest = layers, crossings
    return best


def _swept(layers: Iterable[list[Slot]], joined: Joined) -> list[list[Slot]]:
    place: dict[Slot, float] = {}
    result = []
    for layer in layers:
        own = {slot: _share(at, len(layer)) for at, slot in enumerate(layer)}
        means = {
            slot: sum(place[each] for each in joined[slot]) / len(joined[slot]) if slot in joined else own[slot]
            for slot in layer
        }
        ordered = sorted(layer, key=lambda slot: means[slot])
        place |= {slot: _share(at, len(ordered)) for at, slot in enumerate(ordered)}
        result.append(ordered)
    return result


def _share(at: int, count: int) -> float:
    """A place in a layer as a share of it, so that layers of different lengths compare."""
    return (at + 0.5) / count


def _crossings(layers: Sequence[Sequence[Slot]], behind: Joined) -> int:
    count = 0
    for left, right in pairwise(layers):
        place = {slot: at for at, slot in enumerate(right)}
        ends = [(at, place[end]) for at, slot in enumerate(left) for end in behind.get(slot, ())]
        count += sum(a < c and b > d for a, b in ends for c, d in ends)
    return count
