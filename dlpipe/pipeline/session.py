"""What one run of a command works with: the store, the toolchains, warm workers, events, and a folder of its own."""

from __future__ import annotations

import json
import secrets
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from types import FrameType, TracebackType
from typing import Any, Self

from dlpipe.errors import Interrupted
from dlpipe.measure.machine import fingerprint, machine_name
from dlpipe.pipeline.cluster.cluster import Cluster
from dlpipe.pipeline.cluster.connection import connection
from dlpipe.pipeline.events import Event, EventBus, JsonLines, StoreDamage, StoreTrouble, ToolchainMessage
from dlpipe.pipeline.executor import LocalExecutor
from dlpipe.pipeline.store import Problem, Store
from dlpipe.pipeline.store.disk import writing
from dlpipe.pipeline.store.remote import Bucket
from dlpipe.pipeline.workspace import claimed
from dlpipe.toolchains.manager import Toolchains, default_cache_dir
from dlpipe.toolchains.pool import WorkerPool


class Session:
    """Use as a context manager. Workers start on first need, so a run that hits the cache starts none.

    `executor`: `local`, `ray`, or `ray://HOST:PORT`. Raises UserError, ToolMissing.
    """

    def __init__(
        self,
        *,
        offline: bool = False,
        jobs: int | None = None,
        executor: str = "local",
        listeners: Iterable[Callable[[Event], None]] = (),
    ) -> None:
        self.cache = default_cache_dir()
        self.id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        self.folder = self.cache / "runs" / self.id
        self._work = self.cache / "work" / self.id
        self.bus = EventBus()
        for listener in listeners:
            self.bus.subscribe(listener)
        self._bucket = Bucket.of_environment()
        self.store = Store(
            self.cache / "store",
            bucket=self._bucket,
            on_damage=self._tell_damage,
            on_trouble=lambda message: self.bus.emit(StoreTrouble(message=message)),
        )
        self.toolchains = Toolchains(
            self.cache / "toolchains",
            offline=offline,
            on_event=lambda message: self.bus.emit(ToolchainMessage(message=message)),
        )
        self._jobs = jobs
        self._connection = connection(executor)
        self._closing = ExitStack()

    @cached_property
    def machine(self) -> str:
        return machine_name(fingerprint())

    @cached_property
    def executor(self) -> LocalExecutor:
        pool = self._closing.enter_context(WorkerPool(self.toolchains, self._work, keep_logs=self.folder / "logs"))
        return LocalExecutor(
            store=self.store,
            toolchains=self.toolchains,
            pool=pool,
            bus=self.bus,
            folder=self.folder,
            jobs=self._jobs,
            cluster=self._cluster(),
        )

    def _cluster(self) -> Cluster | None:
        if self._connection is None:
            return None
        made = Cluster(
            self._connection,
            store=self.store,
            toolchains=self.toolchains,
            bucket=self._bucket.url if self._bucket else None,
            cache=self.cache,
            folder=self.folder,
            run=self.id,
        )
        self._closing.callback(made.close)
        return made

    def __enter__(self) -> Self:
        with writing(self.cache):
            self.folder.mkdir(parents=True)
            self._closing.enter_context(claimed(self._work))
        self._closing.enter_context(self.store.pin(self.id))
        self._closing.enter_context(_terminate_as_interrupt())
        self.bus.subscribe(self._closing.enter_context(JsonLines(self.folder / "events.jsonl")))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if "executor" in self.__dict__:
                self.save_stages()
        finally:
            self._closing.close()

    def _tell_damage(self, problem: Problem) -> None:
        self.bus.emit(StoreDamage(kind=problem.kind, name=problem.name, reason=problem.reason))

    def save_stages(self) -> None:
        """Keep what became of each stage in the run's folder, where `explain` finds it by the run's id."""
        stages = {
            name: {"cache": each.cache, "status": each.status, "key": each.key, "reason": each.reason}
            for name, each in self.executor.outcomes.items()
        }
        (self.folder / "stages.json").write_text(json.dumps(stages, indent=2) + "\n", encoding="utf-8")


class _terminate_as_interrupt:  # noqa: N801 - reads as the function it is at the place of use
    """SIGTERM, and SIGHUP unless `nohup` is at work, unwind like Ctrl-C, so that workers end and temporary files go.
    Only in the main thread."""

    def __enter__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._raise)

    def _raise(self, _number: int, _frame: FrameType | None) -> None:
        raise Interrupted("terminated", hint="the same command goes on from here: what is finished is kept")

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
