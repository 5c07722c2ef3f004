"""The local executor: independent stages at once, within the machine's CPU and memory, each answered from the store
where its key is known."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.errors import DiskTrouble, DlpipeError, Interrupted, StageFailed
from dlpipe.pipeline import boards
from dlpipe.pipeline.events import EventBus, StageFinished, StageNote, StageProgress, StageStarted
from dlpipe.pipeline.stage import Outcome, Stage, cache_key, key_parts
from dlpipe.pipeline.store import Lost, Record, Store
from dlpipe.toolchains.bundle import write_bundle
from dlpipe.toolchains.manager import Toolchains
from dlpipe.toolchains.pool import WorkerPool

RESERVED = 4 << 30  # bytes: a limit is what a stage may use at most, and most use far less than it


class LocalExecutor:
    """Runs stages of one run on this machine. Outcomes accumulate, so a plan may be executed in several parts."""

    def __init__(
        self,
        *,
        store: Store,
        toolchains: Toolchains,
        pool: WorkerPool,
        bus: EventBus,
        folder: Path,
        jobs: int | None = None,
    ) -> None:
        self.store = store
        self.toolchains = toolchains
        self.pool = pool
        self.bus = bus
        self._folder = folder
        self.outcomes: dict[str, Outcome] = {}
        self._jobs = jobs or os.cpu_count() or 1
        self._memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self._ahead: list[tuple[Call, ...]] = []
        self._held_back: dict[str, float] = {}  # stage that waits for a busy worker -> since when

    def look_ahead(self, calls: Iterable[Call]) -> None:
        """What will be called once the stages to come had to be computed: as soon as one has to be, the workers for
        these calls are made ready beside it, where the machine has room for two."""
        if self._jobs > 1 and self._memory >= 2 * RESERVED:
            self._ahead.append(tuple(calls))

    def run(self, stages: Iterable[Stage]) -> Mapping[str, Outcome]:
        """Execute what is not executed yet; return all outcomes so far.

        Raises the error of the first required stage that fails, once the stages under way have ended.
        """
        waiting = {stage.id: stage for stage in stages if stage.id not in self.outcomes}
        running: dict[Future[Outcome], Stage] = {}
        first_error: DlpipeError | None = None
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="stage") as threads:
            try:
                while waiting or running:
                    patience = None
                    if first_error is None:
                        patience = self._start_ready(waiting, running, threads)
                    if not running:
                        break
                    done, _ = wait(running, timeout=patience, return_when=FIRST_COMPLETED)
                    for future in done:
                        stage = running.pop(future)
                        outcome = self.outcomes[stage.id] = future.result()
                        if outcome.error and (stage.required or isinstance(outcome.error, DiskTrouble | Lost)):
                            first_error = first_error or outcome.error
            except BaseException:  # Ctrl-C included: end the workers, so that the threads' calls return
                self.pool.close()
                raise
        if first_error:
            raise first_error
        return self.outcomes

    def forget(self, ids: Iterable[str]) -> None:
        """Let stages be planned anew under the same id, with other inputs."""
        for name in ids:
            self.outcomes.pop(name, None)

    def _start_ready(
        self, waiting: dict[str, Stage], running: dict[Future[Outcome], Stage], threads: ThreadPoolExecutor
    ) -> float | None:
        """Returns after how many seconds to look again, though no stage has ended by then."""
        again: list[float] = []
        progressed = True
        while progressed:
            progressed = False
            for stage in list(waiting.values()):
                known = [self.outcomes.get(ref) for ref in stage.depends_on()]
                if any(outcome is None for outcome in known):
                    continue
                failed = [outcome for outcome in known if outcome and outcome.status != "ok"]
                if failed:
                    del waiting[stage.id]
                    self.outcomes[stage.id] = self._skip(stage, failed[0])
                    progressed = True
                elif self._fits(stage, running.values()):
                    if (seconds := self._patience(stage, running.values())) > 0:
                        again.append(seconds)
                        continue
                    self._held_back.pop(stage.id, None)
                    del waiting[stage.id]
                    running[threads.submit(self._execute, stage)] = stage
        return min(again, default=None)

    def _patience(self, stage: Stage, running: Iterable[Stage]) -> float:
        """Seconds that it shall still wait for a worker that one of the running stages has.

        A second one is started once the wait has been as long as a start takes, imports included: so at most as much
        again is lost as had to be (the rule for whoever does not know whether to rent or to buy).
        """
        seat = (stage.call.toolchain, stage.call.resources)
        seated = sum((each.call.toolchain, each.call.resources) == seat for each in running)
        if stage.call.fresh or seated == 0 or seated < self.pool.workers(stage.call):
            return 0.0
        now = time.monotonic()
        return self._held_back.setdefault(stage.id, now) + self.pool.start_seconds(stage.call) - now

    def _fits(self, stage: Stage, running: Iterable[Stage]) -> bool:
        others = list(running)
        if not others:
            return True
        memory = sum(min(each.call.limits.memory, RESERVED) for each in (stage, *others))
        return len(others) < self._jobs and memory <= self._memory

    def _skip(self, stage: Stage, cause: Outcome) -> Outcome:
        reason = cause.reason if cause.status == "skipped" else f"{cause.stage.id} failed: {cause.reason}"
        self.bus.emit(StageFinished(stage=stage.id, kind=stage.kind, cache="miss", seconds=0.0, status="skipped"))
        return Outcome(stage, "skipped", "miss", error=cause.error, reason=reason)

    def resolve(self, stage: Stage) -> dict[str, str]:
        """Input name -> digest of the folder, now that the stages before it are done."""
        return {
            name: ref.removeprefix("tree:") if ref.startswith("tree:") else self.outcomes[ref].output
            for name, ref in stage.inputs.items()
        }

    def _execute(self, stage: Stage) -> Outcome:
        started = time.monotonic()
        parts = key_parts(stage, self.resolve(stage), self.toolchains)
        key = cache_key(parts)
        record = self.store.get(key)
        if record is not None:
            self._finished(stage, "hit", started, "ok")
            for note in record.notes:  # what was worth a warning then is worth it now
                if note["level"] == "warning":
                    self.bus.emit(StageNote(stage=stage.id, **note))
            return Outcome(stage, "ok", "hit", key, record)
        self.bus.emit(StageStarted(stage=stage.id, kind=stage.kind))
        while self._ahead:
            with suppress(IndexError):  # another thread was faster
                self.pool.warm_up(self._ahead.pop())
        try:
            try:
                record = self._compute(stage, parts, key)
            except Lost:
                self._remake(stage.depends_on())
                record = self._compute(stage, parts, key)
        except Interrupted:  # the run ends; that is no failure of the stage
            raise
        except DlpipeError as error:
            error.where.setdefault("stage", stage.id)
            self._finished(stage, "miss", started, "failed")
            return Outcome(stage, "failed", "miss", key, error=error, reason=error.message)
        self._finished(stage, "miss", started, "ok")
        return Outcome(stage, "ok", "miss", key, record)

    def _remake(self, names: Iterable[str]) -> None:
        """What was made in this run went missing or was damaged since: have it there again, and what it needs.

        Raises Lost where that gives something else than before, which other stages have built upon by now.
        """
        for name in sorted(names):
            before = self.outcomes[name]
            again = self._execute(before.stage)
            if again.error is not None:
                raise again.error
            if again.output != before.output:
                raise Lost(f"what {name} made is lost, and it gives something else now", hint="run the command again")

    def _finished(self, stage: Stage, cache: Any, started: float, status: Any) -> None:
        seconds = time.monotonic() - started
        self.bus.emit(StageFinished(stage=stage.id, kind=stage.kind, cache=cache, seconds=seconds, status=status))

    def _compute(self, stage: Stage, parts: dict[str, Any], key: str) -> Record:
        notes: list[dict[str, Any]] = []
        started = time.monotonic()
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", stage.id)
        log = self._folder / "logs" / f"{name}.log"
        if stage.call.board is not None:
            return self._compute_elsewhere(stage, parts, key)
        call = stage.call
        with self.pool.worker(call.toolchain, call.resources, call.limits, fresh=call.fresh) as worker:
            place = worker.place()
            self.fill(place.inputs, parts["inputs"])
            try:
                value = worker.call(call, place, self._listener(stage, notes), log)
            except StageFailed as error:
                given = {each.name: each for each in place.inputs.iterdir()}
                with suppress(OSError):  # a full disk must not hide the failure itself
                    write_bundle(self._folder / "failures" / name, call, given, error, log)
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

    def _compute_elsewhere(self, stage: Stage, parts: dict[str, Any], key: str) -> Record:
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

    def fill(self, folder: Path, inputs: Mapping[str, str]) -> None:
        """Lay the input trees out for a worker: hard links where its mount is truly read-only, else copies."""
        for name, tree in inputs.items():
            self.store.checkout(tree, folder / name, link=self.pool.links_are_safe)

    def _listener(self, stage: Stage, notes: list[dict[str, Any]]) -> Callable[[Mapping[str, Any]], None]:
        def listen(event: Mapping[str, Any]) -> None:
            if event["event"] == "progress":
                self.bus.emit(StageProgress(stage=stage.id, message=event["message"], fraction=event.get("fraction")))
            elif event["event"] == "note":
                level, message, where = event["level"], event["message"], event["where"]
                notes.append({"level": level, "message": message, "where": where})
                self.bus.emit(StageNote(stage=stage.id, level=level, message=message, where=where))

        return listen
