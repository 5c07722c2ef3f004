"""The spans of a job's stages, out of the events that the job's process writes.

That process makes none itself: it ends without waiting for a collector, it is given no key to one, and what it had
finished when it was killed is told all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dlpipe.service.tracing.spans import Span


class Stages:
    """`job`: the span of the attempt."""

    def __init__(self, job: Span) -> None:
        self._job = job
        self._begun: dict[str, tuple[float, str]] = {}

    def hear(self, events: Iterable[tuple[float, str, Mapping[str, Any]]]) -> None:
        """(time, kind, data) each, as `Queue.record` takes them."""
        for time, kind, data in events:
            if kind == "StageStarted":
                self._begun[data["stage"]] = (time, data["kind"])
            elif kind == "StageFinished":
                self._begun.pop(data["stage"], None)
                ended = data["status"]
                said = {"dlpipe.stage.cache": data["cache"], "dlpipe.stage.ended": ended}
                said |= {f"dlpipe.stage.{name}": data[name] for name in ("tool", "node") if data.get(name)}
                error = "stage failed" if ended == "failed" else None
                self._tell(data["stage"], data["kind"], time - data["seconds"], time, said, error)

    def end(self, now: float) -> None:
        """The attempt is over: what had begun was stopped."""
        for stage, (begun, kind) in self._begun.items():
            self._tell(stage, kind, begun, now, {"dlpipe.stage.ended": "stopped"}, "stopped")
        self._begun.clear()

    def _tell(
        self, stage: str, kind: str, begin: float, end: float, said: Mapping[str, str], error: str | None
    ) -> None:
        about = {"dlpipe.stage": stage, "dlpipe.stage.kind": kind, **said}
        self._job.was(f"stage {kind}", begin, end, about, error)
