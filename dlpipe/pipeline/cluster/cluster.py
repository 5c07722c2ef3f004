"""Sends stages to the nodes of a Ray cluster, and waits for them.

A fault of a node, which says nothing of the stage, is answered by sending the stage again; whatever a node had put into
the store by then stays the one record of it.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from dlpipe import __version__
from dlpipe.contracts.call import Call
from dlpipe.errors import ClusterTrouble, DlpipeError, Interrupted, UserError
from dlpipe.pipeline.cluster.connection import HEAD_SECONDS, Connection, Fault, Sent
from dlpipe.pipeline.cluster.needs import Needs, board_label, needs_of
from dlpipe.pipeline.cluster.task import Began, Ended, Task, pack
from dlpipe.pipeline.computing import Tell, log_of
from dlpipe.pipeline.events import StageNote, StageProgress, ToolchainMessage
from dlpipe.pipeline.stage import Stage
from dlpipe.pipeline.store import Record, Store
from dlpipe.toolchains.jail import detect
from dlpipe.toolchains.manager import Toolchains

ATTEMPTS = 3
WAIT = "DLPIPE_RAY_WAIT"
UNPROTECTED = "the Ray cluster obeys whoever reaches its ports: start it, and dlpipe, with RAY_AUTH_MODE=token"
_LOOK_SECONDS = 0.5
_CANCEL_SECONDS = 10.0  # for a node to end a tool and clean up; then its process is killed, and the tool with it


class Cluster:
    """Connected to when the first stage is sent, so a run that hits the cache needs none. `close` it in the end.

    `cache` is the folder that holds `store`; all nodes share it, unless they share the `bucket` (a URL) behind it.
    `folder` is the run's own in there. Safe for several threads.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        store: Store,
        toolchains: Toolchains,
        bucket: str | None,
        cache: Path,
        folder: Path,
        run: str,
    ) -> None:
        self._connection = connection
        self._store = store
        self._toolchains = toolchains
        self._bucket, self._cache, self._folder, self._run = bucket, cache, folder, run
        self._isolate = detect().isolates
        self._patience = _patience()
        self._stopped = threading.Event()

    def takes(self, stage: Stage) -> bool:
        """What depends on this machine stays on it. A board is this machine's too, unless a node has its label."""
        if stage.call.board is not None:
            self._open(lambda _event: None)
            return any(board_label(stage.call.board) in node for node in self._connection.nodes())
        return stage.call.stage_class != "hardware"

    def compute(
        self, stage: Stage, parts: dict[str, Any], key: str, tell: Tell, faults: list[str]
    ) -> tuple[Record, str]:
        """The record that the store has in the end, and the node. What went wrong with nodes on the way is added to
        `faults`.

        Raises what the stage raised, ClusterTrouble, Interrupted.
        """
        self._open(tell)
        task, needs = self._task(stage, parts, key), self._needs(stage.call)
        for tree in task.trees():
            self._store.share(tree)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                node = self._attempt(task, needs, tell)
                record = self._store.get(key)
                if record is None:
                    raise Fault(f"what it put into the store is not to be seen in {self._bucket or self._cache}")
            except Fault as fault:
                self._connection.check()  # a cluster that is gone is no node's fault
                said = f"a node of the cluster failed it ({fault})"
                if attempt == ATTEMPTS:
                    message = f"{stage.id} failed {ATTEMPTS} times by no fault of its own: {fault}"
                    raise ClusterTrouble(message) from fault
                faults.append(f"{stage.id}: {said}; it was computed again")
                tell(StageNote(stage=stage.id, level="warning", message=f"{said}; it is computed again"))
            else:
                self._keep_log(stage, record)
                return record, node
        raise AssertionError("not reached")

    def stop(self) -> None:
        """Calls of `compute` under way raise Interrupted, once the nodes have ended what they did for them."""
        self._stopped.set()

    def close(self) -> None:
        self.stop()
        self._connection.close()

    def _attempt(self, task: Task, needs: Needs, tell: Tell) -> str:
        """Until the record is in the store; returns the node's name. Raises what the node says; Fault, ClusterTrouble,
        Interrupted."""
        sent = self._connection.send(task, needs)
        try:
            node, error = self._follow(sent, task, needs, tell)
        except Fault:
            raise
        except BaseException:
            sent.cancel(_CANCEL_SECONDS)
            raise
        if error is not None:
            raise error
        return node

    def _follow(self, sent: Sent, task: Task, needs: Needs, tell: Tell) -> tuple[str, DlpipeError | None]:
        began, told, lacking_since = "", False, None
        while not self._stopped.is_set():
            match sent.hear(_LOOK_SECONDS):
                case Began(node):
                    began = node
                    tell(StageProgress(stage=task.id, message=f"on node {node}"))
                case Ended(error):
                    return began, error
                case None if not began:
                    missing = needs.missing(self._connection.nodes())
                    now = time.monotonic()
                    lacking_since = lacking_since or now if missing else None
                    if lacking_since is not None and now - lacking_since > self._patience:
                        raise ClusterTrouble(
                            f"no node of the Ray cluster has {missing}, which {task.id} needs",
                            hint=f"`ray status` says what there is; {WAIT} sets how many seconds a node is waited for",
                        )
                    if not told:
                        tell(StageProgress(stage=task.id, message="waits for a node of the cluster"))
                        told = True
                case None:
                    self._connection.check(HEAD_SECONDS)
                case event:
                    tell(event)
        raise Interrupted("the run was stopped")

    def _open(self, tell: Tell) -> None:
        if self._connection.open() and not self._connection.protected:
            tell(ToolchainMessage(message=UNPROTECTED))

    def _task(self, stage: Stage, parts: dict[str, Any], key: str) -> Task:
        call = stage.call
        return Task(
            dlpipe=__version__,
            run=self._run,
            bucket=self._bucket,
            cache=self._cache,
            offline=self._toolchains.offline,
            isolate=self._isolate,
            id=stage.id,
            kind=stage.kind,
            call=call,
            worker=pack(call.worker, self._store),
            libraries=tuple(pack(each, self._store) for each in call.libraries),
            parts=parts,
            key=key,
        )

    def _keep_log(self, stage: Stage, record: Record) -> None:
        """In the run's folder, where a node with a cache of its own could not put it."""
        path = log_of(self._folder, stage)
        if record.log is not None and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._store.blob(record.log))

    def _needs(self, call: Call) -> Needs:
        names = (call.toolchain, *call.resources)
        return needs_of(call, {device for name in names for device in self._toolchains.devices(name)})


def _patience() -> float:
    """Raises UserError."""
    text = os.environ.get(WAIT, "60")
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{WAIT}={text!r} is no number of seconds") from None
