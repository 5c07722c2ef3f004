"""Between two graphs: node by node, both beside each other."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dlpipe.measure.tolerances import tolerance_of
from dlpipe.pipeline.bisect.prefixes import shortest_part
from dlpipe.pipeline.bisect.probes import Graphs, Tried
from dlpipe.pipeline.bisect.skeleton import skeleton
from dlpipe.pipeline.bisect.walking import walk_stage
from dlpipe.pipeline.session import Session


@dataclass(frozen=True, slots=True)
class Pair:
    """Two graphs (ids of stages, or `tree:<digest>`). ports: the candidate's inputs and outputs -> the reference's.
    sample: what the reference is fed with; resolution: of the candidate's outputs."""

    reference: str
    candidate: str
    ports: Mapping[str, str]
    sample: str
    precision: str
    resolution: Mapping[str, Mapping[str, float]]


def walked(session: Session, pair: Pair) -> Mapping[str, Any]:
    """See `measure/bisect_worker.walk`. Raises what the walk does."""
    limits = tolerance_of(pair.precision).params()
    stage = walk_stage("walk", pair.reference, pair.candidate, pair.sample, limits, pair.ports, pair.resolution)
    value: Mapping[str, Any] = session.executor.run([replace(stage, required=True)])["walk"].value
    return value


def smallest_part(session: Session, pair: Pair, most: int) -> tuple[Tried, list[Mapping[str, Any]]] | None:
    """The smallest part of the candidate that still departs, with its nodes; None where it cannot be cut out.

    The pair has been `walked`. most: parts that are tried, at the utmost.
    """
    outcome = session.executor.outcomes["walk"]
    first = outcome.value["first"]
    rows = {row["value"]: row for row in json.loads(session.store.read(outcome.output, "rows.json"))}
    usable = [name for name, row in rows.items() if row["layout"] is None]
    pairs = {**pair.ports, **{name: rows[name]["reference_value"] for name in usable}}
    probe = Graphs(session, pair.reference, pair.candidate, pairs, pair.precision, pair.sample)
    graph = skeleton(session, pair.candidate, "candidate")
    end = _end(rows, first, set(pair.ports.values()))
    if end["value"] not in pairs:
        return None
    if end is first and outcome.value["verdict"] == "node" and set(first["parents"]) <= pairs.keys():
        given, nodes = graph.between(first["parents"], [first["value"]])
        tried = probe(given, [first["value"]])
        if tried.departs:
            return tried, nodes
    return shortest_part(graph, probe, end["value"], usable, most)


def _end(rows: Mapping[str, Any], first: Any, ports: Collection[str]) -> Any:
    """The value in which the part ends: the first that departs, unless the reference has it without computing anything
    (of a quantised input, say): then one that is made of it."""
    before = {rows[name]["reference_value"] for name in first["parents"]} or set(ports)
    if first["reference_value"] not in before:
        return first
    departing = (row for row in rows.values() if first["value"] in row["parents"] and row["own"]["passed"] is False)
    return next(departing, first)
