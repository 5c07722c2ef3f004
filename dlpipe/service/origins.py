"""Where a job's artefacts come from: the lineage that the job's own process recorded."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel

from dlpipe.pipeline.lineage import FILE, VARIABLE, Lineage, StageEntry
from dlpipe.report.schema import Report


class Step(BaseModel):
    """`inputs`: name -> digest of the folder; `toolchains`: name -> digest of the lock."""

    stage: str
    kind: str
    output: str | None
    inputs: dict[str, str]
    toolchains: dict[str, str]


class Origin(BaseModel):
    """`sources`: digest -> what the user gave under it. `steps`: each after those that it needs."""

    artifact: str
    digest: str
    verdict: str
    sources: dict[str, str]
    steps: list[Step]


def origins(report: Report, cache: Path) -> list[Origin]:
    """cache: the team's, which holds its lineage unless the operator keeps everybody's in one database. Nothing
    but this run's is told. What the database has lost is left out. Raises UserError."""
    known = Lineage(os.environ.get(VARIABLE) or cache / FILE)
    found = []
    for each in report.artifacts:
        if each.digest is None:
            continue
        try:
            history = known.of_artifact(each.digest, only=report.run)
        except LookupError:
            continue
        steps = [_step(stage) for stage in history.stages]
        sources = dict(history.sources)
        found.append(Origin(artifact=each.path, digest=each.digest, verdict=each.verdict, sources=sources, steps=steps))
    return found


def _step(stage: StageEntry) -> Step:
    return Step(
        stage=stage.stage,
        kind=stage.kind,
        output=stage.output,
        inputs=dict(stage.inputs),
        toolchains=dict(stage.toolchains),
    )
