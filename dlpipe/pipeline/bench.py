"""Latency of any models and artefacts, interleaved on this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.errors import UserError
from dlpipe.pipeline import chained
from dlpipe.pipeline.compare import feed
from dlpipe.pipeline.runnable import Runnable, load
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.timing import ORIGINAL, Timed, TimedInParts, measure_timing


def bench(session: Session, specs: list[str], options: ImportOptions = ImportOptions()) -> dict[str, Any]:  # noqa: B008 - frozen
    """The first is the baseline of the speed-ups. Raises UserError for one that cannot be timed here: an artefact
    for another processor has no speed on this machine."""
    models = {spec: load(session, spec, f"m{index}", options) for index, spec in enumerate(specs)}
    first = next(iter(models.values()))
    feed(session, first.contract, first.feeds, None)
    samples = session.executor.outcomes["samples"].output
    timed = []
    for index, (spec, model) in enumerate(models.items()):
        if [port.name for port in model.contract.inputs] != [port.name for port in first.contract.inputs]:
            raise UserError(f"{spec} has other inputs than {specs[0]}")
        one = _timed(session, model, ORIGINAL if spec == specs[0] else spec, f"m{index}", samples)
        if one is None:
            raise UserError(f"{spec} cannot be timed here", hint="speed is only measured on the hardware itself")
        timed.append(one)
    value: dict[str, Any] = measure_timing(session, timed).value
    value["timed"] = {specs[0] if name == ORIGINAL else name: each for name, each in value["timed"].items()}
    return value


def _timed(session: Session, model: Runnable, name: str, id_: str, samples: str) -> Timed | TimedInParts | None:
    """None where it has no speed here. The parts of one that has some are run first, for what each is fed with."""
    if model.chain:
        stages = chained.run_stages(id_, model.chain, f"tree:{samples}")
        outcomes = session.executor.run(replace(each, required=True) for each in stages)
        return chained.timed(id_, name, model.chain, outcomes)
    if model.time is None:
        return None
    inputs = {input_: tree.removeprefix("tree:") for input_, tree in model.inputs.items()}
    return Timed(name, model.time, {**inputs, "samples": samples})
