"""Between a graph and what a backend made of it, a black box: the beginnings of the graph are compiled as it was, ever
nearer to where their outputs begin to depart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dlpipe.measure.halving import first_departing, shortest
from dlpipe.pipeline.bisect.probes import Probe, Tried
from dlpipe.pipeline.bisect.skeleton import Cut, Skeleton


@dataclass(frozen=True, slots=True)
class Located:
    """nodes: those of which the first departing value is made since the last ones that agree; alone: whether they
    depart when they are fed with the reference's values. part: the smallest that still departs, by its nodes. looks:
    how many parts were made and executed. unknown: what could not be told, with the reason."""

    values: Sequence[str]
    nodes: Sequence[Mapping[str, Any]]
    alone: bool | None
    reason: str | None
    part: Sequence[Mapping[str, Any]]
    smallest: Tried | None
    looks: int
    unknown: Sequence[str]

    @property
    def verdict(self) -> Literal["node", "together", "somewhere"]:
        return "somewhere" if self.alone is None else "node" if self.alone else "together"

    def as_dict(self) -> dict[str, Any]:
        """For `bisect --json`."""
        return {
            "verdict": self.verdict,
            "values": list(self.values),
            "nodes": [{"node": each["name"], "op": each["op"]} for each in self.nodes],
            "reason": self.reason,
            "part": [each["name"] for each in self.part],
            "compiled": self.looks,
        }


def locate(graph: Skeleton, probe: Probe, *, most: int, only: Sequence[str] | None = None) -> Located | None:
    """None where no part of it departs. most: parts that are made, at the utmost."""
    search = _Search(graph, probe, graph.cuts(only), most)
    whole = search.beginning(len(search.cuts) - 1)
    if whole is not True:
        return None
    low, high = first_departing(len(search.cuts), search.beginning, search.left())
    tried = search.tried[-1, high]
    values = tried.departing
    start = shortest(high, lambda start: search.stretch(start, high, values), search.left())
    smallest = search.tried.get((start, high)) if start >= 0 else tried
    given = search.cuts[low].values if low >= 0 else ()
    _, nodes = graph.between(given, values)
    _, part = graph.between(search.cuts[start].values if start >= 0 else (), values)
    alone = search.tried.get((high - 1, high))
    return Located(
        values=values,
        nodes=nodes,
        alone=True if high == 0 else alone.departs if alone else None,
        reason=tried.fidelity["reason"] if tried.fidelity else tried.reason,
        part=part,
        smallest=smallest,
        looks=len(search.tried),
        unknown=search.unknown,
    )


def shortest_part(
    graph: Skeleton, probe: Probe, value: str, only: Sequence[str], most: int
) -> tuple[Tried, list[Mapping[str, Any]]] | None:
    """The shortest stretch of the graph that ends in `value` and still departs, with its nodes."""
    cuts = graph.cuts(only)
    end = next((place for place, cut in enumerate(cuts) if value in cut.values), None)
    if end is None:
        return None
    search = _Search(graph, probe, cuts, most)
    if search.look(-1, end, [value]) is not True:
        return None
    start = shortest(end, lambda start: search.stretch(start, end, [value]), search.left())
    _, nodes = graph.between(cuts[start].values if start >= 0 else (), [value])
    return search.tried[start, end], nodes


class _Search:
    def __init__(self, graph: Skeleton, probe: Probe, cuts: list[Cut], most: int) -> None:
        self.cuts = cuts
        self.tried: dict[tuple[int, int], Tried] = {}
        self.unknown: list[str] = []
        self._graph, self._probe, self._most = graph, probe, most

    def left(self) -> int:
        return max(self._most - len(self.tried), 0)

    def beginning(self, end: int) -> bool | None:
        """Whether the graph up to that cut departs."""
        return self.look(-1, end, self.cuts[end].values)

    def stretch(self, start: int, end: int, values: Sequence[str]) -> bool | None:
        """Whether what lies between two cuts departs by itself."""
        return self.look(start, end, values) if start >= 0 else True

    def look(self, start: int, end: int, outputs: Sequence[str]) -> bool | None:
        if (start, end) not in self.tried:
            given, _ = self._graph.between(self.cuts[start].values if start >= 0 else (), outputs)
            tried = self.tried[start, end] = self._probe(given, outputs)
            if tried.departs is None:
                name = self._graph.nodes[self.cuts[end].index]["name"]
                self.unknown.append(f"up to {name}: {tried.reason or 'no verdict'}")
        return self.tried[start, end].departs
