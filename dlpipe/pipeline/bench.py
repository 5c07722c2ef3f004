"""Speed and cost of any models and artefacts, interleaved on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.frontend import ImportOptions
from dlpipe.errors import UserError
from dlpipe.ir.calls import describe_call
from dlpipe.pipeline import chained
from dlpipe.pipeline.compare import feed, pairs
from dlpipe.pipeline.roofline import against_limits, machine_limits
from dlpipe.pipeline.runnable import Runnable, load
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.pipeline.starting import in_parts, measure_starts
from dlpipe.pipeline.throughput import check, measure_throughput
from dlpipe.pipeline.timing import ORIGINAL, Timed, TimedInParts, measure_timing

_NO_PROGRAM = "only an artefact has a program that could be started by itself"
_NO_GRAPH = "an artefact does not hold the graph whose work is counted: the report of the run that made it has it"


def bench(
    session: Session,
    specs: Sequence[str],
    options: ImportOptions = ImportOptions(),
    *,
    clients: Sequence[int] = (),
    batches: Sequence[int] = (1,),
) -> dict[str, Any]:
    """The first is the baseline of the speed-ups. Returns {"date", "others": as of `measure_timing`, "timed": {spec:
    what `measure.timing` finds, with size, start and memory in its cost}}; with `clients` (how many ask at once) also
    "throughput": what `measure_throughput` finds.

    Raises UserError for one that takes other inputs than the first, and for one that cannot be timed here: an artefact
    for another processor has no speed on this machine.
    """
    if len(set(specs)) < len(specs):
        raise UserError("the same model is named twice", hint="to see how far two runs of one differ, copy it")
    if clients:
        check(clients, batches)
    models = {spec: load(session, spec, f"m{index}", options) for index, spec in enumerate(specs)}
    first = next(iter(models.values()))
    feed(session, first.contract, first.feeds, None)
    samples = session.executor.outcomes["samples"].output
    timed = []
    for index, (spec, model) in enumerate(models.items()):
        if any(name != other for name, other in pairs(model.contract.inputs, first.contract.inputs, "inputs").items()):
            raise UserError(f"{spec} calls its inputs otherwise than {specs[0]}: they cannot be fed alike")
        one = _timed(session, model, ORIGINAL if spec == specs[0] else spec, f"m{index}", samples)
        if one is None:
            raise UserError(f"{spec} cannot be timed here", hint="speed is only measured on the hardware itself")
        timed.append(one)
    found = measure_timing(session, timed).value
    costs = _costs(session, models, samples)
    by_spec = {spec: found["timed"][ORIGINAL if spec == specs[0] else spec] for spec in specs}
    limits = _limits(session, models, by_spec)
    value = {
        "date": found["date"],
        "others": found.get("others"),
        "timed": {
            spec: {**each, "cost": {**each["cost"], **costs[spec], **limits[spec]}} for spec, each in by_spec.items()
        },
    }
    return {**value, "throughput": measure_throughput(session, models, clients, batches)} if clients else value


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


def _limits(session: Session, models: Mapping[str, Runnable], timed: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """How near each comes to what this machine could do, as far as its graph is known."""
    limits = machine_limits(session)
    found = {}
    for index, (spec, model) in enumerate(models.items()):
        cost = {key: Figure.model_validate(figure) for key, figure in timed[spec]["cost"].items()}
        if model.sniffed is None:
            more = {"roofline": Figure.absent(_NO_GRAPH, "fraction")}
        else:
            stage = Stage(f"describe:m{index}", "measure", describe_call(), {"ir": model.feeds}, required=False)
            described = session.executor.run([stage])[stage.id]
            more = against_limits(cost, described.value if described.status == "ok" else None, limits)
        found[spec] = {key: figure.model_dump() for key, figure in more.items()}
    return found


def _costs(session: Session, models: Mapping[str, Runnable], samples: str) -> dict[str, dict[str, Any]]:
    """Size of each, and what its own program takes to start where it has one."""
    trees = {spec: (model.source or model.feeds).removeprefix("tree:") for spec, model in models.items()}
    calls = {
        trees[spec]: model.time
        for spec, model in models.items()
        if model.tool is not None and model.time is not None and model.time.board is None
    }
    starts = measure_starts(session, calls, samples)
    found = {}
    for spec, tree in trees.items():
        absent = {key: Figure.absent(_NO_PROGRAM, "ms").model_dump() for key in ("cold_start", "warm_start")}
        absent = in_parts() if models[spec].chain else absent
        size = sum(file.size for file in session.store.tree(tree).files)
        figure = Figure(value=size, unit="bytes", provenance="measured")
        found[spec] = {"size": figure.model_dump(), **starts.get(tree, absent)}
    return found
