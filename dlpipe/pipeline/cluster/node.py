"""What a process of a Ray node does: one stage after the other, with workers that stay warm between those of a run."""

from __future__ import annotations

import os
import queue
import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from hashlib import sha256
from pathlib import Path

from dlpipe import __version__
from dlpipe.errors import ClusterTrouble, DlpipeError
from dlpipe.pipeline.cluster.task import Began, Ended, Task, unpack
from dlpipe.pipeline.computing import Computing, Tell
from dlpipe.pipeline.events import Event, StoreDamage, StoreTrouble, ToolchainMessage
from dlpipe.pipeline.stage import Stage, key_parts
from dlpipe.pipeline.store import Problem, Store
from dlpipe.pipeline.store.remote import VARIABLE, Bucket
from dlpipe.pipeline.workspace import claimed
from dlpipe.toolchains.jail import detect
from dlpipe.toolchains.jail.detect import remedy
from dlpipe.toolchains.manager import Toolchains, default_cache_dir
from dlpipe.toolchains.pool import WorkerPool

_TICK_SECONDS = 0.2  # how soon a cancellation is noticed: Ray's does not wake a thread that waits


def serve(task: Task) -> Iterator[Began | Event | Ended]:
    """Compute the stage and tell of it as it goes; the last thing told is how it ended.

    Whoever stops listening stops it: the tool's processes have ended when this generator is closed, or raises.
    """
    yield Began(_name())
    said: queue.SimpleQueue[Event | Ended] = queue.SimpleQueue()
    computing = threading.Thread(target=lambda: said.put(Ended(_error(task, said.put))), name="stage", daemon=True)
    computing.start()
    try:
        while computing.is_alive() or not said.empty():
            try:
                word = said.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                continue
            yield word
    finally:
        if computing.is_alive():
            close()
            computing.join()


def _error(task: Task, tell: Tell) -> DlpipeError | None:
    try:
        _compute(task, tell)
    except DlpipeError as error:
        error.where.setdefault("ray_node", _name())
        return error
    except Exception as error:  # noqa: BLE001 - it is told where somebody reads it
        bug = f"this is a bug of dlpipe, not of your model: {type(error).__name__}: {error}"
        return DlpipeError(bug, ray_node=_name(), trace=traceback.format_exc())
    return None


def _compute(task: Task, tell: Tell) -> None:
    check_same(task)
    workshop = _workshop(task)
    workshop.tell = tell
    stage = task.stage(workshop.unpack)
    workshop.check_code(task, stage)
    if workshop.store.get(task.key) is None:  # nobody else has made it since the task was sent
        workshop.computing.compute(stage, dict(task.parts), task.key, tell)


def check_same(task: Task) -> None:
    """Raises ClusterTrouble unless this node would do what the one that asks would."""
    if task.dlpipe != __version__:
        raise ClusterTrouble(
            f"node {_name()} has dlpipe {__version__}, and this is {task.dlpipe}", hint="install the same on every node"
        )
    if task.bucket is None and not (task.cache / "runs" / task.run).is_dir():
        raise ClusterTrouble(
            f"node {_name()} does not see the folder of the run, {task.cache / 'runs' / task.run}",
            hint=f"all nodes share DLPIPE_CACHE_DIR, at one path, or a bucket ({VARIABLE})",
        )
    if task.isolate and not detect().isolates:
        raise ClusterTrouble(f"node {_name()} has no jail for model files: {remedy()}", hint="dlpipe doctor, there")


class Workshop:
    """What the process keeps from stage to stage of one run. `tell` is the listener of the stage that is computed."""

    def __init__(self, task: Task) -> None:
        self.run = task.run
        self.tell: Tell = _nobody
        self._closing = ExitStack()
        name = f"{task.run}-{_name()}-{os.getpid()}"
        cache, toolchains, bucket = _places(task)
        folder, work = cache / "runs" / task.run, cache / "work" / name
        self.store = Store(
            cache / "store",
            bucket=bucket,
            on_damage=self._tell_damage,
            on_trouble=lambda message: self.tell(StoreTrouble(message=message)),
        )
        self.toolchains = Toolchains(
            toolchains,
            offline=task.offline,
            on_event=lambda message: self.tell(ToolchainMessage(message=message)),
        )
        try:
            self._closing.enter_context(claimed(work))
            self._closing.enter_context(self.store.pin(name))
            pool = WorkerPool(self.toolchains, work / "workers", keep_logs=folder / "logs" / _name())
            self._pool = self._closing.enter_context(pool)
        except BaseException:
            self._closing.close()
            raise
        self.computing = Computing(self.store, self.toolchains, self._pool, folder)
        self.unpack = partial(unpack, store=self.store, scratch=work / "sent")

    def check_code(self, task: Task, stage: Stage) -> None:
        """Raises ClusterTrouble unless what runs here is what the key says: toolchains and code, to the byte."""
        for name, digest in {**task.parts["toolchain"], **task.parts["resources"]}.items():
            self.toolchains.take_build(name, digest)
        here = key_parts(stage, task.parts["inputs"], self.toolchains)
        if other := [name for name, part in here.items() if part != task.parts.get(name)]:
            raise ClusterTrouble(
                f"node {_name()} would compute {stage.id} with another {' and '.join(other)}",
                hint="install the same dlpipe on every node, on the same kind of machine",
            )

    def close(self) -> None:
        """Ends all workers; a call under way raises Interrupted."""
        self._closing.close()

    def _tell_damage(self, problem: Problem) -> None:
        self.tell(StoreDamage(kind=problem.kind, name=problem.name, reason=problem.reason))


def _places(task: Task) -> tuple[Path, Path, Bucket | None]:
    """(the cache, the toolchains, the bucket behind the store). What came through a bucket stays apart from what came
    through another one: whether another team has computed something must not show."""
    if task.bucket is None:
        return task.cache, task.cache / "toolchains", None
    own = default_cache_dir()
    return own / "remote" / sha256(task.bucket.encode()).hexdigest()[:16], own / "toolchains", Bucket(task.bucket)


_open: list[Workshop] = []  # one at most


def _workshop(task: Task) -> Workshop:
    if _open and _open[0].run != task.run:
        close()
    if not _open:
        _open.append(Workshop(task))
    return _open[0]


def close() -> None:
    """End what is kept from stage to stage; a stage under way ends with Interrupted."""
    while _open:
        _open.pop().close()


def _nobody(_event: Event) -> None:
    pass


def _name() -> str:
    return socket.gethostname()
