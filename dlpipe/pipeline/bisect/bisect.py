"""From A to B: which step of the way changes the outputs, and at which node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.data import given_call, pick_call
from dlpipe.errors import UserError
from dlpipe.measure.tolerances import TOLERANCES
from dlpipe.pipeline.bisect.bundle import Departure, stripped, write
from dlpipe.pipeline.bisect.hops import Hop, brought, feed_all, hops
from dlpipe.pipeline.bisect.in_parts import departing_part
from dlpipe.pipeline.bisect.layers import departing_layer, departing_node
from dlpipe.pipeline.bisect.origin import ir_of
from dlpipe.pipeline.bisect.prefixes import locate
from dlpipe.pipeline.bisect.probes import Compiled
from dlpipe.pipeline.bisect.sides import Station, stations
from dlpipe.pipeline.bisect.skeleton import skeleton
from dlpipe.pipeline.bisect.walks import Pair, smallest_part, walked
from dlpipe.pipeline.bisect.words import lines
from dlpipe.pipeline.compare import feed, pairs
from dlpipe.pipeline.output import check_free
from dlpipe.pipeline.runnable import Runnable
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage

MOST_LOOKS = 24  # parts that are made and executed, at the utmost: some log2 of any graph's nodes
_SAID = ("max_abs", "max_rel", "cosine", "sqnr_db", "argmax_agreement", "passed", "reason")


@dataclass(frozen=True, slots=True)
class Bisected:
    """agree: whether the outputs do, None where that cannot be told. steps: the forms of the model from A to B, each
    with how near it is to the one before. found: where the first step departs, and at which node (see docs/bisect.md).
    not_looked_into: what could not be, and why."""

    a: str
    b: str
    agree: bool | None
    samples: int
    fidelity: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]
    found: Mapping[str, Any] | None = None
    not_looked_into: Sequence[str] = ()
    bundle: str | None = None


@dataclass(frozen=True, slots=True)
class Inside:
    """What was found inside a step; departure: what a bundle can be made of."""

    found: Mapping[str, Any]
    not_looked_into: Sequence[str] = ()
    departure: Departure | None = None


def bisect(
    session: Session,
    a: str,
    b: str,
    *,
    data: str | None = None,
    samples: Path | None = None,
    out: Path | None = None,
    strip_weights: bool = False,
    options: ImportOptions = ImportOptions(),
    precision: str | None = None,
) -> Bisected:
    """Raises UserError where the two cannot be the same model's, or where nothing here can execute them.

    a, b: a model, RUN:STAGE or an artefact's folder. samples: exactly what A is fed with, an .npz with one array
    [N, *shape] for each input; else `data`, or generated inputs. precision: as what B is judged; None: as what it
    computes in. out: where a reproduction bundle goes, where there is something to reproduce; strip_weights: with
    noise in place of weights. Raises GateFailed where it would not show the departure.
    """
    if out is not None:
        check_free(out)
    if precision is not None and precision not in TOLERANCES:
        raise UserError(f"there is no precision {precision!r}", hint=f"one of {', '.join(TOLERANCES)}")
    steps, whole = _compared(session, a, b, data, samples, options, precision)
    result = Bisected(
        a=a,
        b=b,
        agree=whole.fidelity["passed"],
        samples=whole.fidelity["samples"],
        fidelity=whole.fidelity,
        steps=[_said(step) for step in steps],
    )
    if result.agree is not False:
        return result
    first = next((step for step in steps if step.departs), None)
    if first is None:
        return replace(result, not_looked_into=["no step departs by itself: their errors add up"])
    inside = _inside(session, first)
    result = replace(result, found={"step": _said(first), **inside.found}, not_looked_into=inside.not_looked_into)
    if out is None or inside.departure is None:
        return result
    departure = stripped(session, inside.departure) if strip_weights else inside.departure

    def shows(reference: Path, candidate: Path, fed: Path) -> bool:
        session.executor.forget(list(session.executor.outcomes))
        _, both = _compared(session, str(reference), str(candidate), None, fed, ImportOptions(), departure.precision)
        return both.departs

    return replace(result, bundle=str(write(session, out, asdict(result), departure, list(lines(result)), shows)))


def _compared(
    session: Session,
    a: str,
    b: str,
    data: str | None,
    samples: Path | None,
    options: ImportOptions,
    precision: str | None,
) -> tuple[list[Hop], Hop]:
    """(the steps from A to B, A and B themselves)."""
    way = _way(stations(session, a, "a", options), stations(session, b, "b", options))
    fed = feed_all(session, way, _fed(session, way, data) if samples is None else _taken(session, way[0], samples))
    return hops(session, fed, precision)


def _fed(session: Session, way: Sequence[Station], data: str | None) -> str:
    """Id of the stage that holds what A is fed with: as a graph takes it, since an artefact says less of that."""
    graph = next((each for each in way if each.kind != "artifact"), way[0])
    feed(session, graph.contract, graph.tree, data)
    inputs, first = graph.contract.inputs, way[0].contract.inputs
    call = brought(inputs, first, pairs(inputs, first, "inputs"))
    if call is None:
        return "samples"
    session.executor.run([Stage("samples:a", "data", call, {"data": "samples"})])
    return "samples:a"


def _taken(session: Session, first: Station, samples: Path) -> str:
    """Id of the stage that holds what the user feeds A with."""
    if not samples.is_file():
        raise UserError(f"there is no {samples}", hint="--samples is an .npz with one array [N, *shape] for each input")
    data = f"tree:{session.store.ingest_files({'samples.npz': samples}).digest}"
    session.executor.run([Stage("samples:given", "data", given_call(first.contract.inputs), {"data": data})])
    return "samples:given"


def _way(mine: list[Station], others: list[Station]) -> list[Station]:
    """From A to its graph, to the graph of B, and to B. An artefact of which nothing is known is held against the
    other's graph."""
    way = [*mine, *reversed(others)]
    return [each for number, each in enumerate(way) if number == 0 or not _same(each, way[number - 1])]


def _same(one: Station, other: Station) -> bool:
    return one.kind == other.kind and one.tree == other.tree


def _picked(session: Session, name: str, numbers: Sequence[int], samples: str) -> str:
    """Id of the stage that holds these samples."""
    session.executor.run([Stage(name, "data", pick_call(numbers), {"data": samples})])
    return name


def _samples(session: Session, hop: Hop) -> str:
    """Those that show the departure, the one that shows it most first."""
    return _picked(session, "sample", hop.telling_samples, hop.before.samples)


def _inside(session: Session, hop: Hop) -> Inside:
    """Look into the first step that departs."""
    before, after = hop.before.station, hop.after.station
    match before.kind, after.kind:
        case "ir", "ir":
            return _graphs(session, hop)
        case "original", "ir":
            return _layer(session, hop)
        case "ir", "artifact":
            return _artifact(session, hop)
        case "ir", "original":
            return _layer(session, hop.turned)
        case "artifact", "ir":
            inside = _artifact(session, hop.turned)
            return replace(inside, found={**inside.found, "reference_departs": True})
    titles = f"{before.title} or {after.title}"
    return Inside({}, (f"nothing here knows from which IR {titles} was compiled: bisect each against its .onnx",))


def _layer(session: Session, hop: Hop) -> Inside:
    model = hop.before.station.model
    assert model is not None
    departs = departing_layer(
        session,
        model.layers,
        source=model.source or "",
        ir=hop.after.station.tree,
        sample=_samples(session, hop),
        tolerance=hop.fidelity.get("tolerance") or 1e-4,
    )
    if not departs:
        why = f"{model.spec}: its frontend does not tell what the layers give; only that the import departs is known"
        return Inside({}, (why,))
    return Inside({"verdict": "layer", "layer": departs["layer"], "agrees_until": departs["agrees_until"]})


def _graphs(session: Session, hop: Hop) -> Inside:
    known = hop.before.station.resolution
    resolution = {name: known[other] for name, other in hop.ports.items() if other in known}
    sample = _samples(session, hop)
    pair = Pair(hop.before.station.tree, hop.after.station.tree, hop.ports, sample, hop.precision, resolution)
    found = dict(walked(session, pair))
    if found["first"] is None:
        return Inside(found)
    if found["compared"] <= len(hop.after.outputs) < min(found["nodes"]):
        return _without_names(session, hop)
    part = smallest_part(session, pair, MOST_LOOKS)
    if part is None:
        return Inside(found, (f"the part around {found['first']['node']} cannot be cut out of both graphs",))
    tried, nodes = part
    found["part"] = [each["name"] for each in nodes]
    return Inside(found, departure=Departure(tried.reference, tried.candidate, tried.samples, hop.precision))


def _without_names(session: Session, hop: Hop) -> Inside:
    """Two graphs that have nothing in common but what goes in and comes out."""
    fed = _picked(session, "sample:fed", hop.telling_samples, hop.before.samples)
    sample = _picked(session, "sample:own", hop.telling_samples, hop.after.samples)
    graphs, tolerance = (hop.before.station.tree, hop.after.station.tree), hop.fidelity.get("tolerance") or 1e-4
    departs = departing_node(session, *graphs, fed=fed, sample=sample, tolerance=tolerance)
    why = "the graphs have no names of values in common: they were compared by what is computed in both"
    if not departs:
        return Inside({}, (why,))
    return Inside({"verdict": "layer", "layer": departs["layer"], "agrees_until": departs["agrees_until"]}, (why,))


def _artifact(session: Session, hop: Hop) -> Inside:
    model, ir, sample = hop.after.station.model, hop.before.station.tree, _samples(session, hop)
    assert model is not None
    if not model.chain:
        return _compiled(session, hop, model, ir, sample)
    own = {port.name for port in hop.before.station.contract.inputs}
    departs = departing_part(session, model, ir=ir, own=own, sample=sample, precision=hop.precision)
    if departs is None:
        return Inside({}, (f"each part of {model.spec} agrees by itself: errors add up from part to part",))
    part, piece = departs
    lowered = ir_of(session.store, part.feeds.removeprefix("tree:"))
    inside = _compiled(session, hop, part, piece.graph if lowered is None else f"tree:{lowered}", piece.samples)
    return replace(inside, found={**inside.found, "in_part": Path(part.spec).name} if inside.found else {})


def _compiled(session: Session, hop: Hop, model: Runnable, ir: str, sample: str) -> Inside:
    """ir: what the artefact was compiled from; sample: what that is fed with."""
    assert model.tool is not None
    assert model.target is not None
    calibrates = model.variant in getattr(model.tool, "calibrates", ())
    probe = Compiled(session, ir, model.tool, model.target, model.variant, hop.precision, sample, calibrates)
    located = locate(skeleton(session, ir, "graph"), probe, most=MOST_LOOKS)
    if located is None:
        why = f"{hop.before.station.title}, compiled again, does not depart: {model.spec} was made of something else"
        return Inside({}, (why,))
    found = {**located.as_dict(), "tool": model.tool.name}
    tried = located.smallest
    departure = None
    if tried is not None:
        departure = Departure(tried.reference, tried.candidate, tried.samples, hop.precision, tried.compiled)
    return Inside(found, tuple(located.unknown), departure)


def _said(hop: Hop) -> dict[str, Any]:
    figures = {key: hop.fidelity.get(key) for key in _SAID}
    return {"from": hop.before.station.title, "to": hop.after.station.title, "judged_as": hop.precision, **figures}
