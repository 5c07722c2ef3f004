"""The models of a run to look at: as imported, and those that the artefacts were made from."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from dlpipe.contracts.json import digest
from dlpipe.ir.calls import view_call
from dlpipe.measure.machine import fingerprint
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.pipeline.timing import alone
from dlpipe.report.schema import ModelView


def look(session: Session, imported: str, others: Iterable[str], samples: str) -> tuple[ModelView, ...]:
    """imported, others: ids of stages that made an IR; samples: id of the stage with the sample that is fed. One after
    the other, with the machine to themselves. A model that cannot be looked at is left out: it is not what was asked
    for."""
    call = view_call(digest(fingerprint()))
    found = []
    with alone(session.cache):
        for name in dict.fromkeys((imported, *others)):
            before = {"before": imported} if name != imported else {}
            stage = Stage(f"view:{name}", "measure", call, {"ir": name, "samples": samples, **before}, required=False)
            outcome = session.executor.run([stage])[stage.id]
            if outcome.status == "ok":
                found.append(_view(name, outcome.value))
    return tuple(each for each in found if each is not None)


def _view(name: str, value: object) -> ModelView | None:
    try:
        return ModelView.model_validate({"stage": name, **value}) if isinstance(value, dict) else None
    except ValidationError:  # a worker that read a hostile model is not trusted either
        return None
