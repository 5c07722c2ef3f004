"""What a frontend covers, told by running code: its converter's operators, and the zoo's models through it."""

from __future__ import annotations

from typing import Any

from dlpipe.contracts.frontend import Frontend
from dlpipe.errors import DlpipeError, Interrupted
from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.pipeline.zoo import ZooModel, zoo_models


def operators(session: Session, frontend: Frontend) -> dict[str, Any] | None:
    """{"source", "full", "partial", "none": {operator: note}} or None where the frontend cannot tell."""
    call = frontend.operators_call()
    if call is None:
        return None
    stage = Stage(f"operators:{frontend.name}", "measure", call)
    value = session.executor.run([stage])[stage.id].value
    found: dict[str, Any] = {"source": value["source"], "full": {}, "partial": {}, "none": {}}
    for name, each in sorted(value["operators"].items()):
        found[each["support"]][name] = each.get("note")
    return found


def zoo_results(session: Session, frontend: Frontend) -> list[dict[str, Any]]:
    """Every model of the zoo that comes from this framework: imported, and compared with the original."""
    return [_result(session, model) for model in zoo_models() if model.framework == frontend.name]


def _result(session: Session, model: ZooModel) -> dict[str, Any]:
    executor = session.executor
    executor.forget(list(executor.outcomes))  # the models' stages go by the same names
    try:
        proven = prove_import(session, ConvertRequest(model=f"zoo:{model.name}", targets=()))
    except Interrupted:
        raise
    except DlpipeError as error:
        return {"model": model.name, "converted": False, "reason": error.message}
    fidelity = executor.outcomes[f"fidelity:{proven.imported.ir}"].value
    reference = executor.outcomes["reference"].value
    return {
        "model": model.name,
        "converted": True,
        "reference": reference.get("tool"),
        "kind": proven.samples.kind,
        "max_abs": fidelity["max_abs"],
        "max_rel": fidelity["max_rel"],
        "reason": None,
    }
