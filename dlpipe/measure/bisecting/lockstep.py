"""Two graphs, node by node beside each other: where the candidate begins to depart from the reference.

Every node of the candidate runs twice: on what the candidate itself has made so far, and on the reference's values.
The first shows where the outputs' error begins, the second whether that node makes it or only hands it on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from .counterparts import counterparts
from .graph import Graph, Opened, Values
from .judging import comparable, judged
from .rows import Figures, Row
from .running import Running

Results = dict[str, list[Any]] | str  # of a node; a text says why there are none
_UNKNOWN = "what it reads could not be computed"


class Lockstep:
    """`rows`: a candidate's value -> what was found of it, in the order of execution. `left_out`: what nodes make that
    nothing of the reference's stands for."""

    def __init__(
        self,
        reference: Graph,
        candidate: Graph,
        samples: Sequence[Values],
        *,
        ports: Mapping[str, str],
        limits: Mapping[str, Any],
        resolution: Mapping[str, Mapping[str, float]],
    ) -> None:
        """samples: the reference's inputs. ports: the candidate's inputs and outputs -> the reference's. resolution:
        of the candidate's outputs."""
        self.rows: dict[str, Row] = {}
        self.left_out: list[str] = []
        self._graph, self._limits, self._resolution = candidate, limits, resolution
        self._nodes = sorted(candidate.behind(candidate.outputs))
        found = counterparts(reference, candidate, ports)
        self._pairs = {name: found[name] for i in self._nodes for name in candidate.made(i) if name in found}
        feeds = {name: [each[name] for each in samples] for name in reference.inputs}
        fed = {name: candidate.as_input(name, feeds[ports[name]]) for name in candidate.inputs}
        wanted, needed = Counter(self._pairs.values()), reference.behind(self._pairs.values())
        self._reference = Running(reference, feeds, len(samples), needed, wanted)
        self._own = Running(candidate, fed, len(samples), self._nodes, Counter())
        self._alone = Running(candidate, fed, len(samples), self._nodes, Counter())
        self._before: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}  # of a value: parents, segment

    def walk(self, progress: Callable[[float], None]) -> None:
        """Raises Refused where the reference cannot be executed."""
        for number, index in enumerate(self._nodes):
            self._take(index)
            progress((number + 1) / len(self._nodes))

    def _take(self, index: int) -> None:
        alone, own = self._results(index)
        before = self._gather(index)
        restarts: dict[str, list[Any]] = {}
        for name in self._graph.made(index):
            reference = self._reference_of(name)
            row = self._row(index, name, reference, alone, own) if reference is not None else None
            if reference is None or row is None:
                self._before[name] = (before[0], (*before[1], self._graph.name(index)))
                self.left_out.append(name)
                continue
            row.parents, row.segment = before
            self.rows[name] = row
            restarts[name] = _as_the_candidate_has_it(reference, row, alone, name)
        for running, results in ((self._alone, alone), (self._own, own)):
            for name, value in results.items() if isinstance(results, dict) else ():
                running.put(name, value)
        for name, value in restarts.items():
            self._alone.put(name, value)
        self._alone.end(index)
        self._own.end(index)

    def _results(self, index: int) -> list[Results]:
        """[what the node makes of the reference's values, of the candidate's own]."""
        node: Opened | None = None
        found: list[Results] = []
        for running in (self._alone, self._own):
            if not running.ready(index):
                found.append(_UNKNOWN)
                continue
            try:
                node = node or self._graph.opened(index, running.given(index, 0))
                found.append(running.results(index, node))
            except Refused as error:
                found.append(str(error))
        return found

    def _reference_of(self, name: str) -> list[Any] | None:
        if name not in self._pairs:
            return None
        value = self._reference.compute(self._pairs[name])
        self._reference.release(self._pairs[name])
        return value

    def _gather(self, index: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The values with rows that the node builds on, and the nodes in between."""
        parents: dict[str, None] = {}
        nodes: dict[str, None] = {}
        for name in self._graph.reads[index]:
            if name in self.rows:
                parents[name] = None
            else:
                more, between = self._before.get(name, ((), ()))
                parents |= dict.fromkeys(more)
                nodes |= dict.fromkeys(between)
        return tuple(parents), tuple(nodes)

    def _row(self, index: int, name: str, reference: list[Any], alone: Results, own: Results) -> Row | None:
        """None where the two values are of different kinds, and cannot be held against each other."""
        for results in (alone, own):
            if isinstance(results, dict) and not comparable(reference, results[name]):
                return None
        pair = self._pairs[name]
        maker = self._reference.graph.producer.get(pair)
        resolution = self._resolution.get(name)
        (own_figures, layout), (alone_figures, again) = (
            _figures(reference, results, name, self._limits, resolution) for results in (own, alone)
        )
        return Row(
            value=name,
            reference_value=pair,
            node=self._graph.name(index),
            op=self._graph.operator(index),
            reference_node=self._reference.graph.name(maker) if maker is not None else None,
            reference_op=self._reference.graph.operator(maker) if maker is not None else None,
            own=own_figures,
            alone=alone_figures,
            layout=layout or again,
        )


def _figures(
    reference: list[Any], results: Results, name: str, limits: Mapping[str, Any], resolution: Mapping[str, float] | None
) -> tuple[Figures, tuple[int, ...] | None]:
    if isinstance(results, dict):
        return judged(reference, results[name], limits, resolution)
    return {"passed": None if results == _UNKNOWN else False, "reason": results}, None


def _as_the_candidate_has_it(reference: list[Any], row: Row, results: Results, name: str) -> list[Any]:
    """The reference's value, in the type and layout that the candidate's next nodes want."""
    moved = [each.transpose(row.layout) if row.layout else each for each in reference]
    if not isinstance(results, dict) or not isinstance(results[name][0], np.ndarray):
        return moved
    return [each.astype(made.dtype, copy=False) for each, made in zip(moved, results[name], strict=True)]
