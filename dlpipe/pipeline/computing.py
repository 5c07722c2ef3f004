"""Computes one stage on the machine that this process runs on, and keeps its record."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlpipe.errors import StageFailed
from dlpipe.pipeline import boards
from dlpipe.pipeline.events import Event, StageNote, StageProgress
from dlpipe.pipeline.stage import Stage
from dlpipe.pipeline.store import Record, Store
from dlpipe.toolchains.bundle import write_bundle
from dlpipe.toolchains.manager import Toolchains
from dlpipe.toolchains.pool import WorkerPool

Tell = Callable[[Event], None]


class Computing:
    """Inputs come from `store` by their digests, and the record goes there. `folder` is the run's: logs, and what
    reproduces a failure. May be used by several threads at once."""

    def __init__(self, store: Store, toolchains: Toolchains, pool: WorkerPool, folder: Path) -> None:
        self.store = store
        self.toolchains = toolchains
        self.pool = pool
        self._folder = folder

    def compute(self, stage: Stage, parts: dict[str, Any], key: str, tell: Tell) -> Record:
        """The record that the store has in the end. `tell` gets progress and notes as they come. Raises what
        `Worker.call` raises, and Lost."""
        if stage.call.board is not None:
            return self._by_agent(stage, parts, key)
        notes: list[dict[str, Any]] = []
        started = time.monotonic()
        log = log_of(self._folder, stage)
        call = stage.call
        with self.pool.worker(call.toolchain, call.resources, call.limits, fresh=call.fresh) as worker:
            place = worker.place()
            self.fill(place.inputs, parts["inputs"])
            try:
                value = worker.call(call, place, _listener(stage, notes, tell), log)
            except StageFailed as error:
                given = {each.name: each for each in place.inputs.iterdir()}
                with suppress(OSError):  # a full disk must not hide the failure itself
                    write_bundle(self._folder / "failures" / log.stem, call, given, error, log)
                raise
            handed_on = {name: parts["inputs"][source] for name, source in place.handed_on.items()}
            tree = self.store.ingest(place.out, move=True, also=handed_on)
        record = Record(
            key=key,
            parts=parts,
            output=tree.digest,
            value=value,
            notes=tuple(notes),
            seconds=time.monotonic() - started,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            log=self.store.put_blob(log.read_bytes()) if log.exists() else None,
            tools=self.toolchains.locked_versions(stage.call.toolchain),
        )
        return self.store.put(record)

    def fill(self, folder: Path, inputs: Mapping[str, str]) -> None:
        """Lay the input trees out for a worker: hard links where its mount is truly read-only, else copies."""
        for name, tree in inputs.items():
            self.store.checkout(tree, folder / name, link=self.pool.links_are_safe)

    def _by_agent(self, stage: Stage, parts: dict[str, Any], key: str) -> Record:
        """By the agent of a board."""
        started = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            inputs, out = Path(folder, "in"), Path(folder, "out")
            out.mkdir()
            self.fill(inputs, parts["inputs"])
            value = boards.execute(stage.call, inputs, out)
            tree = self.store.ingest(out, move=True)
        return self.store.put(
            Record(
                key=key,
                parts=parts,
                output=tree.digest,
                value=value,
                notes=(),
                seconds=time.monotonic() - started,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                tools={},
            )
        )


def log_of(folder: Path, stage: Stage) -> Path:
    """Where a run, whose folder it is, has what the stage's tool says."""
    return folder / "logs" / (re.sub(r"[^A-Za-z0-9.-]+", "_", stage.id) + ".log")


def _listener(stage: Stage, notes: list[dict[str, Any]], tell: Tell) -> Callable[[Mapping[str, Any]], None]:
    def listen(event: Mapping[str, Any]) -> None:
        if event["event"] == "progress":
            tell(StageProgress(stage=stage.id, message=event["message"], fraction=event.get("fraction")))
        elif event["event"] == "note":
            level, message, where = event["level"], event["message"], event["where"]
            notes.append({"level": level, "message": message, "where": where})
            tell(StageNote(stage=stage.id, level=level, message=message, where=where))

    return listen
