"""Any two models or artefacts, on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.data import rename_call
from dlpipe.errors import UserError
from dlpipe.ir.contract import Contract, Port
from dlpipe.measure import Metric, fidelity_call
from dlpipe.pipeline.by_metric import accuracy_stage, settled
from dlpipe.pipeline.chained import gather_stage, run_stages
from dlpipe.pipeline.feeding import from_data, generated
from dlpipe.pipeline.runnable import Runnable, load
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage


@dataclass(frozen=True, slots=True)
class Compared:
    """`fidelity` and the accuracies are the measuring workers' values (contracts/measurement.py)."""

    fidelity: dict[str, Any]
    accuracy: dict[str, Any] | None
    reference_accuracy: dict[str, Any] | None


def compare(
    session: Session,
    a: str,
    b: str,
    *,
    data: str | None,
    labels: Sequence[str] = (),
    metric: Metric | None = None,
    options: ImportOptions = ImportOptions(),
) -> Compared:
    """How far B departs from A. Raises UserError where their inputs or outputs cannot be the same model's."""
    first, second = load(session, a, "a", options), load(session, b, "b", options)
    labelled = feed(session, first.contract, first.feeds, data, labels=labels)
    inputs = pairs(first.contract.inputs, second.contract.inputs, "inputs")
    outputs = pairs(second.contract.outputs, first.contract.outputs, "outputs")
    session.executor.run([Stage("samples:b", "data", rename_call(inputs), {"data": "samples"})])
    stages = [
        run_stage(session, first, "run:a", "samples"),
        run_stage(session, second, "run:b:own-names", "samples:b"),
        Stage("run:b", "data", rename_call(outputs), {"data": "run:b:own-names"}),
        Stage("fidelity", "measure", fidelity_call(second.variant), {"reference": "run:a", "candidate": "run:b"}),
    ]
    if labelled:
        by = settled(session, metric, session.executor.outcomes["samples"].value["truth"])
        judged = {"reference": "run:a", "candidate": "run:b", "labels": "samples"}
        stages.append(accuracy_stage("accuracy:b", by, judged))
        stages.append(accuracy_stage("accuracy:a", by, {"candidate": "run:a", "labels": "samples"}))
    outcomes = session.executor.run(stages)
    return Compared(
        fidelity=outcomes["fidelity"].value,
        accuracy=outcomes["accuracy:b"].value if labelled else None,
        reference_accuracy=outcomes["accuracy:a"].value if labelled else None,
    )


def feed(session: Session, contract: Contract, feeds: str, data: str | None, *, labels: Sequence[str] = ()) -> bool:
    """Execute the stages up to `samples`. Returns whether the samples are labelled. feeds: the folder of the contract
    (`tree:<digest>`)."""
    stages = generated(feeds, {}) if data is None else from_data(session, data, contract, feeds, labels=labels)
    return bool(session.executor.run(stages)["samples"].value.get("labelled"))


def run_stage(session: Session, model: Runnable, name: str, samples: str) -> Stage:
    """The stage called `name` ("run" and more), whose output is the model's; the parts of one that has some are run
    first. Raises UserError where nothing here can execute the model."""
    if model.chain:
        id_ = name.removeprefix("run:")
        outcomes = session.executor.run(replace(each, required=True) for each in run_stages(id_, model.chain, samples))
        outputs = [port.name for port in model.contract.outputs]
        return replace(gather_stage(id_, len(model.chain), outputs, samples, outcomes), id=name, required=True)
    if model.run is None:
        raise UserError(f"nothing here can execute {model.spec}")
    return Stage(name, "run", model.run, {**model.inputs, "samples": samples})


def pairs(of: Sequence[Port], to: Sequence[Port], what: str) -> dict[str, str]:
    """Names of `of` -> names of `to`: by name where both know the name, else by position. what: "inputs" or "outputs".

    Raises UserError where they cannot be those of the same model."""
    if len(of) != len(to):
        raise UserError(f"the models have {len(of)} and {len(to)} {what}: they cannot be compared")
    by_name = {port.name: port for port in to}
    same_names = by_name.keys() == {port.name for port in of}
    found = [(one, by_name[one.name] if same_names else other) for one, other in zip(of, to, strict=True)]
    for one, other in found:
        if not _fit(one, other):
            raise UserError(
                f"the models cannot be compared: {one.name} is {list(one.shape)} and {other.name} {list(other.shape)}"
            )
    return {one.name: other.name for one, other in found}


def _fit(one: Port, other: Port) -> bool:
    """Whether a tensor may have both shapes: a symbolic dim may be anything."""
    if len(one.shape) != len(other.shape):
        return False
    dims = zip(one.shape, other.shape, strict=True)
    return all(a == b or isinstance(a, str) or isinstance(b, str) for a, b in dims)
