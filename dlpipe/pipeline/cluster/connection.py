"""The one place that speaks to Ray: a connection to a running cluster, and tasks sent through it."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from dlpipe.errors import ClusterTrouble, ClusterUnreachable, DlpipeError, ToolMissing, UserError, how_to_add
from dlpipe.pipeline.cluster.needs import Needs
from dlpipe.pipeline.cluster.task import Began, Ended, Task
from dlpipe.pipeline.events import Event

PORT = 6379  # of a head, where none is said: Ray's own
HINT = "--executor ray://HOST:PORT or RAY_ADDRESS name its head, RAY_AUTH_TOKEN is what it obeys; see `ray status`"
_REACH_SECONDS = 10.0
_SETTINGS = {  # what Ray reads when it is imported
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # or it sends the working folder to all nodes where dlpipe is run by `uv run`
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or it warns of a change to come
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # or it prints nodes' troubles between our lines on the standard output
}
_NODES_SECONDS = 1.0  # how long the list of nodes is good for: every stage that waits asks for it
_CHECK_SECONDS = 1.0  # as long as it is believed that the head answers
HEAD_SECONDS = 30.0  # that a head may be away while nodes compute: one that keeps its state comes back
# Ray's errors that blame no node: the head is gone or another one, or this machine's own part of the cluster.
_GONE = ("AuthenticationError", "LocalRayletDiedError", "RpcError")


class Fault(Exception):
    """The machinery failed, not the stage: it may be sent again."""


def connection(executor: str) -> Connection | None:
    """Of `--executor`: none for `local`. Raises UserError, ToolMissing."""
    if executor == "local":
        return None
    place = urlsplit(executor)
    try:
        host, port = place.hostname, place.port
    except ValueError:
        host = port = None
    if executor != "ray" and (place.scheme != "ray" or not host or place.path or place.query or place.username):
        raise UserError(f"--executor {executor!r} is none", hint="local, ray, or ray://HOST:PORT of a cluster's head")
    if importlib.util.find_spec("ray") is None:
        raise ToolMissing("Ray is not installed, which --executor ray needs", hint=how_to_add("ray"))
    return Connection(f"{host if ':' not in host else f'[{host}]'}:{port or PORT}" if host else None)


class Connection:
    """To the cluster with a head at `address` (`host:port`), else to that of RAY_ADDRESS, else to the one of which this
    machine is a node. Safe for several threads."""

    def __init__(self, address: str | None) -> None:
        self._address = address or os.environ.get("RAY_ADDRESS") or "auto"
        self._lock = threading.Lock()
        self._trouble: DlpipeError | None = None
        self._ray: Any = None
        self._ours = False
        self._head = ""
        self._answered = float("-inf")
        self._nodes: tuple[float, list[Mapping[str, float]]] = (float("-inf"), [])

    @property
    def protected(self) -> bool:
        """Whether the cluster obeys only those who have its token. Known once it is open."""
        return os.environ.get("RAY_AUTH_MODE", "").lower() == "token"

    def open(self) -> bool:
        """True for the call that did it. Raises ClusterUnreachable, the same again at every later call."""
        with self._lock:
            if self._trouble is not None:
                raise self._trouble
            if self._ray is not None:
                return False
            try:
                self._ray = self._connect()
                self._head = self._ray.get_runtime_context().gcs_address
                self._answered = time.monotonic()
            except DlpipeError as trouble:
                self._trouble = trouble
                raise
            return True

    def check(self, patience: float = 0.0) -> None:
        """Raises ClusterUnreachable where the head has not answered for more than `patience` seconds, or is not the one
        that this connection was made to. Whatever Ray is asked then may end this process without a word: at once where
        the head is another one, after a minute where there is none."""
        from ray.experimental.internal_kv import _internal_kv_exists

        with self._lock:
            if time.monotonic() - self._answered < _CHECK_SECONDS:
                return
            try:
                _reach(self._head)
                _internal_kv_exists(b"dlpipe")
            except self._ray.exceptions.RayError as error:
                raise ClusterUnreachable(f"the Ray cluster is gone: {_line(error)}", hint=HINT) from error
            except ClusterUnreachable:
                if time.monotonic() - self._answered > patience:
                    raise
            else:
                self._answered = time.monotonic()

    def nodes(self) -> list[Mapping[str, float]]:
        """What each node that lives has in all, busy or not: amounts by Ray's names. Raises ClusterUnreachable: a head
        that died took the cluster with it, and the one that follows knows nobody of before."""
        self.check()
        with self._lock:
            if time.monotonic() - self._nodes[0] > _NODES_SECONDS:
                try:
                    found = [each["Resources"] for each in self._ray.nodes() if each["Alive"]]
                except self._ray.exceptions.RayError as error:
                    raise ClusterUnreachable(f"the Ray cluster is gone: {_line(error)}", hint=HINT) from error
                self._nodes = (time.monotonic(), found)
            return self._nodes[1]

    def send(self, task: Task, needs: Needs) -> Sent:
        """Raises Fault, ClusterUnreachable."""
        self.check()
        from dlpipe.pipeline.cluster.node import serve

        remote = self._ray.remote(max_retries=0, num_returns="streaming")(serve)
        try:
            return Sent(self._ray, remote.options(name=task.id, **needs.options()).remote(task))
        except self._ray.exceptions.RayError as error:
            raise _trouble(error) from error

    def close(self) -> None:
        """The nodes end whatever this connection had them do."""
        with self._lock:
            if self._ours:
                self._ray.shutdown()
            self._ray, self._ours = None, False

    def _connect(self) -> Any:
        for variable, value in _SETTINGS.items():
            os.environ.setdefault(variable, value)
        loaded = sys.modules.get("ray")
        if loaded is not None and loaded.is_initialized():  # by the program of which we are a part
            return loaded
        if self._address != "auto":
            _reach(self._address)
        import ray

        before = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address=self._address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # a start that takes too long is a bare Exception of Ray's
            message = f"the Ray cluster at {self._address} takes no work: {_line(error)}"
            raise ClusterUnreachable(message, hint=HINT) from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before)  # Ray's own would end the process without a word
        self._ours = True
        return ray


class Sent:
    """A task under way."""

    def __init__(self, ray: Any, stream: Any) -> None:
        self._ray = ray
        self._stream = stream

    def hear(self, seconds: float) -> Began | Event | Ended | None:
        """The next word from the node, or None when there was none for so long. Raises Fault, ClusterTrouble."""
        errors = self._ray.exceptions
        try:
            ready, _ = self._ray.wait([self._stream], timeout=seconds, fetch_local=False)
            if not ready:
                return None
            word: Began | Event | Ended = self._ray.get(next(self._stream))
        except StopIteration:
            raise Fault("it ended without a word") from None
        except errors.RayTaskError as error:  # it did not even come to our own code, which tells of errors itself
            message = f"a node of the Ray cluster cannot compute stages: {_line(error.cause or error)}"
            raise ClusterTrouble(message, hint="install the same dlpipe on every node") from error
        except errors.RayError as error:
            raise _trouble(error) from error
        return word

    def cancel(self, grace: float) -> None:
        """Return when it has ended, by itself within `grace` seconds, or killed."""
        for force, seconds in ((False, grace), (True, grace)):
            with suppress(self._ray.exceptions.RayError, ValueError):
                self._ray.cancel(self._stream, force=force)
            if self._ends_within(seconds):
                return

    def _ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        with suppress(Fault, ClusterTrouble):
            while (left := deadline - time.monotonic()) > 0:
                self.hear(left)
            return False
        return True


def _trouble(error: Exception) -> Fault | ClusterUnreachable:
    """What an error of Ray's means for who sent a stage."""
    name = type(error).__name__
    if name in _GONE:
        return ClusterUnreachable(f"the Ray cluster is gone ({name}): {_line(error)}", hint=HINT)
    return Fault(f"{name}: {_line(error)}")


def _reach(address: str) -> None:
    """Ray itself waits for minutes. Raises ClusterUnreachable."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_SECONDS).close()
    except (OSError, ValueError) as error:
        raise ClusterUnreachable(f"no Ray cluster answers at {address}: {error}", hint=HINT) from error


def _line(error: BaseException) -> str:
    """The first line that says something, else the type."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
