"""The warm workers of one run: importing a framework costs more than most conversions."""

from __future__ import annotations

import itertools
import shutil
import threading
import warnings
from collections.abc import Iterator, Mapping
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

_MAX_IDLE = 4  # an idle worker keeps its framework in memory


class Environments(Protocol):
    """Where toolchains come from (`Toolchains`)."""

    def ensure(self, name: str) -> Environment: ...


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
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._idle: list[tuple[_Key, Worker]] = []  # the oldest first
        self._busy: set[Worker] = set()
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
        for worker in busy:
            worker.interrupt()  # whoever uses it closes it
        for _, worker in idle:
            worker.close()
        if not busy:
            remove_tree(self._root)

    @contextmanager
    def worker(self, toolchain: str, resources: tuple[str, ...] = (), limits: Limits | None = None) -> Iterator[Worker]:
        """A worker of that toolchain for as long as the block lasts: a warm one, else a new one.

        Of `limits` only the file size matters here; the others are those of each call.
        """
        limits = limits or Limits()
        key = _Key(toolchain, resources, limits.file_size)
        worker = self._take(key) or self._start(key, limits)
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
        with self.worker(call.toolchain, call.resources, call.limits) as worker:
            place = worker.place()
            for name, folder in inputs.items():
                shutil.copytree(folder, place.inputs / name)
            value = worker.call(call, place, on_event, log)
            if out.exists():
                out.rmdir()
            shutil.move(place.out, out)
        return value

    def _take(self, key: _Key) -> Worker | None:
        with self._lock:
            self._refuse_when_closed()
            for index in range(len(self._idle) - 1, -1, -1):
                if self._idle[index][0] == key:
                    _, worker = self._idle.pop(index)
                    self._busy.add(worker)
                    return worker
        return None

    def _start(self, key: _Key, limits: Limits) -> Worker:
        environment = self._toolchains.ensure(key.toolchain)
        resources = {name: self._toolchains.ensure(name) for name in key.resources}
        name = f"{key.toolchain}-{next(self._numbers)}"
        layout = Layout(self.kind, self._root / name)
        worker = Worker(
            self.kind, environment, resources, layout, self._shelf, limits, self._logs / f"worker-{name}.log"
        )
        with self._lock:
            if not self._closed:
                self._busy.add(worker)
                return worker
        worker.close()
        raise Interrupted("the run was stopped")

    def _give_back(self, key: _Key, worker: Worker, reusable: bool) -> None:
        surplus = worker
        reusable = reusable and worker.alive()
        if reusable:
            worker.clear()
        with self._lock:
            self._busy.discard(worker)
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
