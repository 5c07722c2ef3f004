"""Execute one model or artefact on the user's inputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.data import summarise_call
from dlpipe.errors import UserError
from dlpipe.pipeline.compare import feed, run_stage
from dlpipe.pipeline.runnable import load
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage


def execute(
    session: Session,
    spec: str,
    data: str,
    *,
    out: Path | None = None,
    labels: Sequence[str] = (),
    options: ImportOptions = ImportOptions(),
) -> dict[str, Any]:
    """`results`: per item and output the shape, and the label where the model is a classifier with labels; `ran_on`
    says what executed it. The raw outputs go to `out` (.npz)."""
    if out is not None and out.is_dir():
        raise UserError(f"{out} is a folder", hint="name a file, e.g. -o outputs.npz")
    model = load(session, spec, "model", options)
    feed(session, model.contract, model.feeds, data, labels=labels)
    names = list(labels or model.contract.labels)
    outcomes = session.executor.run(
        [
            run_stage(session, model, "run", "samples"),
            Stage("summary", "measure", summarise_call(names), {"data": "run", "items": "samples"}),
        ]
    )
    if out is not None:
        session.store.export_file(outcomes["run"].output, "outputs.npz", out)
    value = outcomes["run"].value or {}
    return {"results": outcomes["summary"].value["results"], "ran_on": value.get("ran_on") or value.get("tool")}
