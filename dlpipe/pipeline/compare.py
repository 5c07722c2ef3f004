"""Any two models or artefacts, on the same samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.data import rename_call
from dlpipe.errors import UserError
from dlpipe.ir.contract import Port
from dlpipe.measure import accuracy_call, fidelity_call
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
    options: ImportOptions = ImportOptions(),  # noqa: B008 - frozen
) -> Compared:
    """How far B departs from A. Raises UserError where their inputs or outputs cannot be the same model's."""
    first, second = load(session, a, "a", options), load(session, b, "b", options)
    labelled = feed(session, first, data, labels=labels)
    inputs = _pairs(first.contract.inputs, second.contract.inputs, "inputs")
    outputs = _pairs(second.contract.outputs, first.contract.outputs, "outputs")
    stages = [
        Stage("samples:b", "data", rename_call(inputs), {"data": "samples"}),
        run_stage(first, "run:a", "samples"),
        run_stage(second, "run:b:own-names", "samples:b"),
        Stage("run:b", "data", rename_call(outputs), {"data": "run:b:own-names"}),
        Stage("fidelity", "measure", fidelity_call(second.variant), {"reference": "run:a", "candidate": "run:b"}),
    ]
    if labelled:
        judged = {"reference": "run:a", "candidate": "run:b", "labels": "samples"}
        stages.append(Stage("accuracy:b", "measure", accuracy_call(), judged))
        stages.append(Stage("accuracy:a", "measure", accuracy_call(), {"candidate": "run:a", "labels": "samples"}))
    outcomes = session.executor.run(stages)
    return Compared(
        fidelity=outcomes["fidelity"].value,
        accuracy=outcomes["accuracy:b"].value if labelled else None,
        reference_accuracy=outcomes["accuracy:a"].value if labelled else None,
    )


def feed(session: Session, model: Runnable, data: str | None, *, labels: Sequence[str] = ()) -> bool:
    """Execute the stages up to `samples`. Returns whether the samples are labelled."""
    if data is None:
        stages = generated(model.feeds, {})
    else:
        stages = from_data(session, data, model.contract, model.feeds, labels=labels)
    return bool(session.executor.run(stages)["samples"].value.get("labelled"))


def run_stage(model: Runnable, name: str, samples: str) -> Stage:
    """Raises UserError where nothing here can execute the model."""
    if model.run is None:
        raise UserError(f"nothing here can execute {model.spec}")
    return Stage(name, "run", model.run, {**model.inputs, "samples": samples})


def _pairs(of: Sequence[Port], to: Sequence[Port], what: str) -> dict[str, str]:
    """By name where both know the name, else by position."""
    if len(of) != len(to):
        raise UserError(f"the models have {len(of)} and {len(to)} {what}: they cannot be compared")
    by_name = {port.name: port for port in to}
    same_names = by_name.keys() == {port.name for port in of}
    pairs = [(one, by_name[one.name] if same_names else other) for one, other in zip(of, to, strict=True)]
    for one, other in pairs:
        if not _fit(one, other):
            raise UserError(
                f"the models cannot be compared: {one.name} is {list(one.shape)} and {other.name} {list(other.shape)}"
            )
    return {one.name: other.name for one, other in pairs}


def _fit(one: Port, other: Port) -> bool:
    """Whether a tensor may have both shapes: a symbolic dim may be anything."""
    if len(one.shape) != len(other.shape):
        return False
    dims = zip(one.shape, other.shape, strict=True)
    return all(a == b or isinstance(a, str) or isinstance(b, str) for a, b in dims)
