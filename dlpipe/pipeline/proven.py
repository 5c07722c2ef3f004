"""An import, and the proof that it equals the original: the ground that every command builds on.

Where a frontend has several converters (routes), a wrong one is refused and the next is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.errors import DlpipeError, GateFailed, StageFailed, Unsupported, UserError
from dlpipe.pipeline.bisect.layers import departing_layer
from dlpipe.pipeline.checks import check_ir
from dlpipe.pipeline.events import StageNote
from dlpipe.pipeline.imported import Imported, Opened, import_opened, sniff
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.samples import Samples, make_samples, refuse_missing
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.pipeline.unsteady import allowing, told, unsteady

_QUANTISED = 2e-2  # of a layer's range: some steps of eight bits
_REPORT = "nothing was written; `dlpipe inspect` shows the model's operators: please report it with these"
_SCALED = (
    "nothing was written. Every layer agrees on the first sample: is the data scaled as the model was trained on it? "
    "Of values that are too large, a softmax makes differences out of roundings"
)


@dataclass(frozen=True, slots=True)
class Proven:
    """`refused`: route -> why it was not taken."""

    imported: Imported
    samples: Samples
    refused: Mapping[str, str] = field(default_factory=dict)


def prove_import(session: Session, request: ConvertRequest, meanwhile: Iterable[Stage] = ()) -> Proven:
    """Import, feed, run the original, run the import, compare; executes the stages of `check_ir` for the import.

    `meanwhile` are stages that build on the import and that the caller wants when it is proven: they are executed
    beside the original. What they make of an import that turns out to be wrong is of no use to anybody.

    Raises GateFailed for an import that departs from the original, naming the layer where that can be found; with
    several routes, what the preferred one raised, once none is left.
    """
    refuse_missing(request)
    opened = sniff(session, request.model, factory=request.options.factory)
    routes = opened.frontend.routes(opened.sniffed)
    chosen = _chosen(routes, request.options, opened)
    refused: dict[str, DlpipeError] = {}
    for route in chosen:
        before = set(session.executor.outcomes)
        try:
            imported, samples = _attempt(session, request, opened, replace(request.options, route=route), meanwhile)
        except (Unsupported, StageFailed, GateFailed) as error:
            if len(chosen) == 1 or _why(error) in map(_why, refused.values()):  # the file's fault, not the route's
                raise
            assert route is not None
            refused[route] = error
            message = f"the route {route} was refused: {error.message}"
            session.bus.emit(StageNote(stage="import", level="warning", message=message, where=error.where))
            session.executor.forget(set(session.executor.outcomes) - before)
        else:
            return Proven(imported, samples, {name: _why(error) for name, error in refused.items()})
    first, *others = refused.items()
    first[1].where["other_routes"] = {name: _why(error) for name, error in others}
    raise first[1]


def _chosen(routes: tuple[str, ...], options: ImportOptions, opened: Opened) -> tuple[str | None, ...]:
    if options.route is None:
        return routes or (None,)
    known = (*routes, *opened.frontend.asked_routes(opened.sniffed))
    if options.route not in known:
        what = f"{opened.sniffed.format} has no route {options.route!r}"
        raise UserError(what, hint=f"there are: {', '.join(known)}" if known else "leave --route out")
    return (options.route,)


def _why(error: DlpipeError) -> str:
    layer = error.where.get("layer") or error.where.get("node")
    return f"{error.message} (at {layer})" if layer else error.message


def _attempt(
    session: Session, request: ConvertRequest, opened: Opened, options: ImportOptions, meanwhile: Iterable[Stage]
) -> tuple[Imported, Samples]:
    imported = import_opened(session, opened, options)
    samples = make_samples(session, request, imported, meanwhile)
    session.executor.run(check_ir(imported.ir, "fp32", samples))
    fidelity = session.executor.outcomes[f"fidelity:{imported.ir}"].value
    if fidelity and fidelity["passed"] is False and request.reference is None:
        samples = _as_steady_as_it_is(session, imported, samples, fidelity)
    _stop_if_wrong(session, imported, samples)
    return imported, samples


def _as_steady_as_it_is(session: Session, imported: Imported, samples: Samples, fidelity: Mapping[str, Any]) -> Samples:
    """Judges the import again, where the original itself does not hold its outputs as steady as the limits ask."""
    found = unsteady(session, imported, fidelity)
    if not found:
        return samples
    samples = allowing(samples, found)
    session.executor.forget([f"fidelity:{imported.ir}"])
    session.executor.run(check_ir(imported.ir, "fp32", samples))
    for line in told(samples.unsteady):
        session.bus.emit(StageNote(stage="import", level="warning", message=line, where={}))
    return samples


def _stop_if_wrong(session: Session, imported: Imported, samples: Samples) -> None:
    """Nothing is built on an import that could not be run, or departs from the original. Raises what was found."""
    outcomes, ir = session.executor.outcomes, imported.ir
    for name in (f"run:{ir}", f"fidelity:{ir}"):
        error = outcomes[name].error
        if error is not None:
            raise error
    fidelity = outcomes[f"fidelity:{ir}"].value
    if fidelity["passed"] is not False:
        return
    fed = outcomes.get("samples:all") or outcomes["samples"]
    gaps = (fed.value or {}).get("gaps")
    if gaps:
        raise UserError(
            f"{gaps}, and what the frameworks make of them differs: {fidelity['reason']}",
            hint="leave these samples out of the data, or mend them: on others, the import may well be right",
            stage=ir,
        )
    outputs = fidelity["outputs"]
    worst = max(outputs, key=lambda name: outputs[name].get("max_rel") or 0.0, default=None)
    # Where the original rounds, layers that are equal differ by a step here and there.
    limit = _QUANTISED if samples.full.resolution else fidelity.get("tolerance") or 1e-4
    departs = departing_layer(
        session,
        imported.frontend.layers_call(imported.sniffed, imported.options),
        source=f"tree:{imported.source.tree}",
        ir=imported.ir,
        sample=samples.timing,
        tolerance=limit,
    )
    # Layers are looked at on the first sample: where that agrees to its end, it is the values of another that matter.
    everywhere = bool(departs) and departs["ends_alike"] and departs["reproduced"] == departs["layers"]
    layer = None if everywhere else departs.get("layer")
    where = f", from the layer {layer} on" if layer else ""
    raise GateFailed(
        f"the import is wrong{where}: {fidelity['reason']}",
        hint=_SCALED if everywhere else _REPORT,
        stage=ir,
        output=worst,
        layer=layer,
        agrees_until=departs.get("agrees_until"),
        max_rel=fidelity["max_rel"],
        tolerance=fidelity["tolerance"],
        samples=fidelity["samples"],
    )
