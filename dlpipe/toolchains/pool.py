"""The warm workers of one run: importing a framework costs more than most conversions."""

from __future__ import annotations

import itertools
import logging
import shutil
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dlpipe.contracts.call import Call, Limits
from dlpipe.errors import BadModel, Interrupted, Unsupported
from dlpipe.toolchains.code import Shelf
from dlpipe.toolchains.environment import Environment
from dlpipe.toolchains.gc import remove_tree
from dlpipe.toolchains.jail import JailKind, detect
from dlpipe.toolchains.jail.detect import remedy
from dlpipe.toolchains.layout import Layout
from dlpipe.toolchains.worker import OnEvent, Worker

_log = logging.getLogger(__name__)
_MAX_IDLE = 8  # an idle worker keeps its framework in memory
_START_SECONDS = 1.0  # of a worker and what it imports, where it has not been measured


class Environments(Protocol):
    """Where toolchains come from (`Toolchains`)."""

    def ensure(self, name: str) -> Environment: ...

    def find(self, name: str) -> Environment | None: ...

    def devices(self, name: str) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class _Key:
    toolchain: str
    resources: tuple[str, ...]
    file_size: int  # an rlimit, set once for a process; all other limits are those of each call


class WorkerPool:
    """`with WorkerPool(...) as pool`. Safe for several threads; leaving it ends every worker.

    `session_root` holds the workers' folders while they live (its file system should be the store's, so that outputs
    can be moved), `keep_logs` one log per worker for what it says outside of calls that have a log of their own.
    """

    def __init__(
        self, toolchains: Environments, session_root: Path, *, jail: JailKind | None = None, keep_logs: Path
    ) -> None:
        self.kind = jail or detect()
        self._toolchains = toolchains
        self._root = session_root.absolute()
        self._logs = keep_logs
        self._lock = threading.Condition()  # notified when a worker that was being warmed up is there, or is not
        self._numbers = itertools.count(1)
        self._idle: list[tuple[_Key, Worker]] = []  # the oldest first
        self._busy: dict[Worker, _Key] = {}
        self._starting: list[_Key] = []
        self._warming: set[_Key] = set()
        self._start_seconds: dict[_Key, float] = {}
        self._warmers: list[threading.Thread] = []
        self._closed = False
        self._shelf = Shelf(self._root / "code")
        self._shelf.folder.mkdir(parents=True, exist_ok=True)
        if not self.kind.isolates:
            warnings.warn(
                f"models are converted without network and file isolation: {remedy()}", RuntimeWarning, stacklevel=2
            )

    @property
    def links_are_safe(self) -> bool:
        """Whether inputs may be hard links to read-only objects: only where the mount is read-only too."""
        return self.kind.isolates

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End every worker. Calls under way in other threads raise Interrupted. May be called twice."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
            self._lock.notify_all()
        for worker in busy:
            worker.interrupt()  # whoever uses it closes it
        for _, worker in idle:
            worker.close()
        for thread in self._warmers:
            thread.join()
        if not busy:
            remove_tree(self._root)

    def warm_up(self, calls: Iterable[Call]) -> None:
        """In the background, one after the other: for each toolchain that `calls` need and that has no worker yet,
        start one and let it import what they run.

        What is not installed is left alone, and what goes wrong is only logged: the call itself will meet it.
        """
        wanted: dict[_Key, dict[Path, Call]] = {}
        for call in calls:
            wanted.setdefault(_key(call.toolchain, call.resources, call.limits), {})[call.worker] = call
        thread = threading.Thread(target=self._warm_up, args=(wanted,), name="warm-up")
        with self._lock:
            if not self._closed:
                self._warmers.append(thread)
                thread.start()

    def workers(self, call: Call) -> int:
        """How many there are for such calls, busy ones included."""
        key = _key(call.toolchain, call.resources, call.limits)
        with self._lock:
            return sum(each == key for each in (*self._busy.values(), *(each for each, _ in self._idle)))

    def start_seconds(self, call: Call) -> float:
        """About how long it takes until a new worker for such a call is as good as a warm one."""
        return self._start_seconds.get(_key(call.toolchain, call.resources, call.limits), _START_SECONDS)

    @contextmanager
    def worker(
        self,
        toolchain: str,
        resources: tuple[str, ...] = (),
        limits: Limits | None = None,
        *,
        fresh: bool = False,
    ) -> Iterator[Worker]:
        """A worker of that toolchain for as long as the block lasts: a warm one, else a new one. `fresh`: one that has
        served no call yet.

        Of `limits` only the file size matters here; the others are those of each call.
        """
        limits = limits or Limits()
        key = _key(toolchain, resources, limits)
        worker = self._take(key, fresh=fresh) or self._start(key, limits)
        reusable = False
        try:
            yield worker
            reusable = True
        except (BadModel, Unsupported):
            reusable = True
            raise
        finally:
            self._give_back(key, worker, reusable and worker.healthy)

    def run(
        self,
        call: Call,
        inputs: Mapping[str, Path],
        out: Path,
        on_event: OnEvent | None = None,
        log: Path | None = None,
    ) -> Any:
        """One call on folders that lie anywhere: `inputs` are copied in, the outputs moved to `out` (which must not
        exist, or be empty). Returns the operation's JSON value; raises as `Worker.call` does, and ToolMissing."""
        with self.worker(call.toolchain, call.resources, call.limits, fresh=call.fresh) as worker:
            place = worker.place()
            for name, folder in inputs.items():
                shutil.copytree(folder, place.inputs / name)
            value = worker.call(call, place, on_event, log)
            if out.exists():
                out.rmdir()
            shutil.move(place.out, out)
            for name, source in place.handed_on.items():
                shutil.copyfile(place.inputs / source / name, out / name)
        return value

    def _take(self, key: _Key, *, fresh: bool) -> Worker | None:
        with self._lock:
            self._lock.wait_for(lambda: self._closed or key not in self._warming)
            self._refuse_when_closed()
            for index in range(len(self._idle) - 1, -1, -1):
                kind, worker = self._idle[index]
                if kind == key and not (fresh and worker.has_served):
                    del self._idle[index]
                    self._busy[worker] = key
                    return worker
            self._starting.append(key)
        return None

    def _warm_up(self, wanted: Mapping[_Key, Mapping[Path, Call]]) -> None:
        for key, calls in wanted.items():
            try:
                if all(self._toolchains.find(name) for name in (key.toolchain, *key.resources)) and self._claim(key):
                    try:
                        self._warm(key, list(calls.values()))
                    finally:
                        with self._lock:
                            self._warming.discard(key)
                            self._lock.notify_all()
            except Exception:  # noqa: BLE001 - see `warm_up`
                _log.debug("no worker of %s could be warmed up", key.toolchain, exc_info=True)

    def _claim(self, key: _Key) -> bool:
        """Whether there is no such worker, nor one on its way: then whoever wants one waits for what comes now."""
        with self._lock:
            if self._closed or key in (*self._starting, *self._busy.values(), *(each for each, _ in self._idle)):
                return False
            self._starting.append(key)
            self._warming.add(key)
            return True

    def _warm(self, key: _Key, calls: list[Call]) -> None:
        started = time.monotonic()
        worker = self._start(key, calls[0].limits)
        try:
            for call in calls:
                worker.load(call)
            self._start_seconds[key] = time.monotonic() - started
        finally:
            self._give_back(key, worker, worker.healthy)

    def _start(self, key: _Key, limits: Limits) -> Worker:
        """`key` is among those that are starting."""
        try:
            environment = self._toolchains.ensure(key.toolchain)
            resources = {name: self._toolchains.ensure(name) for name in key.resources}
            name = f"{key.toolchain}-{next(self._numbers)}"
            devices = self._toolchains.devices(key.toolchain)
            layout, log = Layout(self.kind, self._root / name, devices), self._logs / f"worker-{name}.log"
            worker = Worker(self.kind, environment, resources, layout, self._shelf, limits, log)
        except BaseException:
            with self._lock:
                self._starting.remove(key)
            raise
        with self._lock:
            self._starting.remove(key)
            if not self._closed:
                self._busy[worker] = key
                return worker
        worker.close()
        raise Interrupted("the run was stopped")

    def _give_back(self, key: _Key, worker: Worker, reusable: bool) -> None:
        surplus = worker
        reusable = reusable and worker.alive()
        if reusable:
            worker.clear()
        with self._lock:
            self._busy.pop(worker, None)
            if reusable and not self._closed:
                self._idle.append((key, worker))
                if len(self._idle) <= _MAX_IDLE:
                    return
                _, surplus = self._idle.pop(0)
            last = self._closed and not self._busy
        surplus.close()
        if last:
            remove_tree(self._root)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise Interrupted("the run was stopped")


def _key(toolchain: str, resources: tuple[str, ...], limits: Limits) -> _Key:
    return _Key(toolchain, resources, limits.file_size)
