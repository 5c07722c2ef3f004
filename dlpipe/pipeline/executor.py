"""The executor: independent stages at once, each answered from the store where its key is known, else computed within
this machine's CPU and memory, or by a cluster."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.errors import ClusterTrouble, DiskTrouble, DlpipeError, Interrupted
from dlpipe.pipeline.cluster.cluster import Cluster
from dlpipe.pipeline.cluster.needs import RESERVED
from dlpipe.pipeline.computing import Computing
from dlpipe.pipeline.events import EventBus, StageFinished, StageNote, StageQueued, StageStarted
from dlpipe.pipeline.stage import Outcome, Stage, cache_key, key_parts
from dlpipe.pipeline.store import Lost, Record, Store
from dlpipe.toolchains.manager import Toolchains
from dlpipe.toolchains.pool import WorkerPool

_OF_NO_STAGE = (DiskTrouble, ClusterTrouble, Lost)  # the run ends, even where the stage may fail
_SENT = 64  # stages at once on a cluster, which lets those wait that have no room yet


class LocalExecutor:
    """Runs the stages of one run: on this machine, or those that a cluster takes there. Outcomes accumulate, so a plan
    may be executed in several parts."""

    def __init__(
        self,
        *,
        store: Store,
        toolchains: Toolchains,
        pool: WorkerPool,
        bus: EventBus,
        folder: Path,
        jobs: int | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        self.store = store
        self.toolchains = toolchains
        self.pool = pool
        self.bus = bus
        self.outcomes: dict[str, Outcome] = {}
        self._computing = Computing(store, toolchains, pool, folder)
        self._cluster = cluster
        self._jobs = jobs or os.cpu_count() or 1
        self._at_once = self._jobs if cluster is None else jobs or _SENT
        self._memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self._ahead: list[tuple[Call, ...]] = []
        self._held_back: dict[str, float] = {}  # stage that waits for a busy worker -> since when
        self._deadline: float | None = None

    def look_ahead(self, calls: Iterable[Call]) -> None:
        """What will be called once the stages to come had to be computed: as soon as one has to be, the workers for
        these calls are made ready beside it, where the machine has room for two."""
        if self._cluster is None and self._jobs > 1 and self._memory >= 2 * RESERVED:
            self._ahead.append(tuple(calls))

    def run(self, stages: Iterable[Stage]) -> Mapping[str, Outcome]:
        """Execute what is not executed yet; return all outcomes so far.

        Raises the error of the first required stage that fails, once the stages under way have ended.
        """
        waiting = {stage.id: stage for stage in stages if stage.id not in self.outcomes}
        for stage in waiting.values():
            self.bus.emit(StageQueued(stage=stage.id, kind=stage.kind, after=tuple(sorted(stage.depends_on()))))
        running: dict[Future[Outcome], Stage] = {}
        first_error: DlpipeError | None = None
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="stage") as threads:
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
                        if outcome.error and (stage.required or isinstance(outcome.error, _OF_NO_STAGE)):
                            first_error = first_error or outcome.error
            except BaseException:  # Ctrl-C included: end the workers, so that the threads' calls return
                if self._cluster is not None:
                    self._cluster.stop()
                self.pool.close()
                raise
        if first_error:
            raise first_error
        return self.outcomes

    @contextmanager
    def within(self, seconds: float | None) -> Iterator[None]:
        """A stage that is computed meanwhile fails when the time is up. None: there is no such limit."""
        self._deadline = None if seconds is None else time.monotonic() + seconds
        try:
            yield
        finally:
            self._deadline = None

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
        if self._sent(stage):
            return 0.0
        running = [each for each in running if not self._sent(each)]
        seated = sum((each.call.toolchain, each.call.resources) == seat for each in running)
        if stage.call.fresh or seated == 0 or seated < self.pool.workers(stage.call):
            return 0.0
        now = time.monotonic()
        return self._held_back.setdefault(stage.id, now) + self.pool.start_seconds(stage.call) - now

    def _sent(self, stage: Stage) -> bool:
        return self._cluster is not None and self._cluster.takes(stage)

    def _fits(self, stage: Stage, running: Iterable[Stage]) -> bool:
        others = list(running)
        if len(others) >= self._at_once:
            return False
        here = [each for each in others if not self._sent(each)]
        if not here or self._sent(stage):
            return True
        memory = sum(min(each.call.limits.memory, RESERVED) for each in (stage, *here))
        return len(here) < self._jobs and memory <= self._memory

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
        faults: list[str] = []
        try:
            try:
                record, node = self._compute(stage, parts, key, faults)
            except Lost:
                self._remake(stage.depends_on())
                record, node = self._compute(stage, parts, key, faults)
        except Interrupted:  # the run ends; that is no failure of the stage
            raise
        except DlpipeError as error:
            error.where.setdefault("stage", stage.id)
            self._finished(stage, "miss", started, "failed", reason=None if stage.required else error.message)
            return Outcome(stage, "failed", "miss", key, error=error, reason=error.message)
        self._finished(stage, "miss", started, "ok", node)
        return Outcome(stage, "ok", "miss", key, record, faults=tuple(faults))

    def _compute(self, stage: Stage, parts: dict[str, Any], key: str, faults: list[str]) -> tuple[Record, str | None]:
        """And the node of a cluster that did it."""
        if self._deadline is not None:
            left = max(1, math.ceil(self._deadline - time.monotonic()))
            limits = replace(stage.call.limits, wall_seconds=min(left, stage.call.limits.wall_seconds))
            stage = replace(stage, call=replace(stage.call, limits=limits))
        if self._cluster is not None and self._cluster.takes(stage):
            return self._cluster.compute(stage, parts, key, self.bus.emit, faults)
        return self._computing.compute(stage, parts, key, self.bus.emit), None

    def fill(self, folder: Path, inputs: Mapping[str, str]) -> None:
        """See `Computing.fill`."""
        self._computing.fill(folder, inputs)

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

    def _finished(
        self,
        stage: Stage,
        cache: Any,
        started: float,
        status: Any,
        node: str | None = None,
        *,
        reason: str | None = None,
    ) -> None:
        told = StageFinished(
            stage=stage.id,
            kind=stage.kind,
            cache=cache,
            seconds=time.monotonic() - started,
            status=status,
            tool=stage.call.toolchain,
            node=node,
            reason=reason,
        )
        self.bus.emit(told)
