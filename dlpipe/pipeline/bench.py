"""Latency of any models and artefacts, interleaved on this machine."""

from __future__ import annotations

from typing import Any

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.errors import UserError
from dlpipe.pipeline.compare import feed
from dlpipe.pipeline.runnable import load
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.timing import ORIGINAL, Timed, measure_timing


def bench(session: Session, specs: list[str], options: ImportOptions = ImportOptions()) -> dict[str, Any]:  # noqa: B008 - frozen
    """The first is the baseline of the speed-ups. Raises UserError for one that cannot be timed here: an artefact
    for another processor has no speed on this machine."""
    models = {spec: load(session, spec, f"m{index}", options) for index, spec in enumerate(specs)}
    first = next(iter(models.values()))
    feed(session, first.contract, first.feeds, None)
    samples = session.executor.outcomes["samples"].output
    timed = []
    for spec, model in models.items():
        if model.time is None:
            raise UserError(f"{spec} cannot be timed here", hint="speed is only measured on the hardware itself")
        if [port.name for port in model.contract.inputs] != [port.name for port in first.contract.inputs]:
            raise UserError(f"{spec} has other inputs than {specs[0]}")
        inputs = {name: tree.removeprefix("tree:") for name, tree in model.inputs.items()}
        name = ORIGINAL if spec == specs[0] else spec
        timed.append(Timed(name, model.time, {**inputs, "samples": samples}))
    value: dict[str, Any] = measure_timing(session, timed).value
    value["timed"] = {specs[0] if name == ORIGINAL else name: each for name, each in value["timed"].items()}
    return value
