"""In a run: at which node the result of a pass begins to depart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dlpipe.ir.contract import Contract
from dlpipe.passes.registry import pass_info
from dlpipe.pipeline.bisect.walking import sample_stage, walk_stage
from dlpipe.pipeline.bisect.words import sentence
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Outcome
from dlpipe.report.schema import DepartsAt


def of_stages(session: Session, ids: Iterable[str] | None = None) -> dict[str, DepartsAt]:
    """Stage -> where it begins, for passes (those of `ids`) whose result departs from the original. What was trained is
    another net by intention, and is left out."""
    outcomes = session.executor.outcomes
    names = [each.stage.id for each in list(outcomes.values()) if each.stage.kind == "pass"] if ids is None else ids
    found = {}
    for name in names:
        reference = _last_that_agrees(outcomes, name) if departs(outcomes, name) else None
        if reference is not None:
            found[name] = _walked(session, reference, name)
    return found


def departs(outcomes: Mapping[str, Outcome], name: str) -> bool:
    """Whether the stage or artefact ran, and its outputs are not the original's."""
    outcome = outcomes.get(f"fidelity:{name}")
    return outcome is not None and outcome.status == "ok" and outcome.value["passed"] is False


def _last_that_agrees(outcomes: Mapping[str, Outcome], name: str) -> str | None:
    """The nearest stage that it was made of and that agrees with the original."""
    while name in outcomes and outcomes[name].stage.kind == "pass":
        stage = outcomes[name].stage
        chosen = stage.call.params.get("pass")
        if chosen is None or "train" in pass_info(chosen).needs or "ir" not in stage.inputs:
            return None
        name = stage.inputs["ir"]
        fidelity = outcomes.get(f"fidelity:{name}")
        if fidelity is not None and fidelity.status == "ok" and fidelity.value["passed"] is not False:
            return name
    return None


def _walked(session: Session, reference: str, name: str) -> DepartsAt:
    executor = session.executor
    command = f"dlpipe bisect {session.id}:{reference} {session.id}:{name}"
    fidelity, ran = executor.outcomes[f"fidelity:{name}"], executor.outcomes[f"run:{name}"]
    contract = Contract.model_validate_json(session.store.read(executor.outcomes[name].output, "contract.json"))
    ports = {port.name: port.name for port in (*contract.inputs, *contract.outputs)}
    limits = dict(fidelity.stage.call.params)
    resolution = limits.pop("resolution", None) or {}
    sample = sample_stage(name, fidelity.value, ran.stage.inputs["samples"])
    walk = walk_stage(f"walk:{name}", reference, name, sample.id, limits, ports, resolution)
    outcome = executor.run([sample, walk])[walk.id]
    if outcome.status != "ok" or outcome.value["first"] is None:
        why = outcome.reason or "executed node by node it agrees"
        return DepartsAt(verdict="unknown", said=f"the node could not be found: {why}", command=command)
    first = outcome.value["first"]
    return DepartsAt(
        verdict=outcome.value["verdict"],
        node=first["node"],
        op=first["op"],
        reference_node=first["reference_node"],
        said=sentence(outcome.value),
        command=command,
    )
