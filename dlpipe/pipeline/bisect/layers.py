"""Where names say nothing, as between an original and its import: by what each layer of the one gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.ir.calls import depart_call
from dlpipe.measure import values_call
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage


def departing_layer(
    session: Session, call: Call | None, *, source: str, ir: str, sample: str, tolerance: float
) -> Mapping[str, Any]:
    """What `depart_call` gives: the first layer of the original that the graph `ir` does not reproduce. Empty where the
    frontend does not tell layers.

    call: the frontend's `layers_call`. source, ir, sample: ids of stages, or `tree:<digest>`; of the samples the first
    is taken. tolerance: of a layer's range.
    """
    if call is None:
        return {}
    given = {"source": source, "imported": ir, "samples": sample}
    layers = Stage("layers", "measure", call, given, required=False)
    return _departing(session, layers, ir=ir, sample=sample, tolerance=tolerance)


def departing_node(
    session: Session, reference: str, candidate: str, *, fed: str, sample: str, tolerance: float
) -> Mapping[str, Any]:
    """The same for two graphs whose values have no names in common: the node of `reference` whose result is nowhere in
    `candidate`. fed, sample: what the two are fed with, under their own names."""
    layers = Stage("layers", "measure", values_call(), {"ir": reference, "samples": fed}, required=False)
    return _departing(session, layers, ir=candidate, sample=sample, tolerance=tolerance)


def _departing(session: Session, layers: Stage, *, ir: str, sample: str, tolerance: float) -> Mapping[str, Any]:
    session.executor.run([layers])
    value = session.executor.outcomes[layers.id].value
    if not value:
        return {}
    found = depart_call(value["layers"], tolerance)
    inputs = {"ir": ir, "samples": sample, "layers": "layers"}
    session.executor.run([Stage("departs", "measure", found, inputs, required=False)])
    return session.executor.outcomes["departs"].value or {}
