"""A run's log in the files of an experiment tracker."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dlpipe.pipeline.output import check_free
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.pipeline.store.disk import writing
from dlpipe.report.log import LOG, log, write_call
from dlpipe.report.schema import Report


def write_log(session: Session, report: Report, tracker: str, out: Path) -> None:
    """tracker: one of report.log.TRACKERS. Raises UserError where `out` holds something already."""
    check_free(out)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / LOG).write_text(log(report), encoding="utf-8")
        given = session.store.ingest(Path(folder))
    outcome = session.executor.run(
        [Stage(tracker, "package", write_call(tracker), {"log": f"tree:{given.digest}"})]
    )[tracker]  # fmt: skip
    with writing(out, "the log folder"):
        out.parent.mkdir(parents=True, exist_ok=True)
        session.store.export(outcome.output, out)
