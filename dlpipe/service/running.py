"""One attempt at a job, as a process in a group of its own, watched until it ends or has to be ended."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from dlpipe.errors import StoreUnreachable
from dlpipe.pipeline.store import Lost
from dlpipe.service import child
from dlpipe.service.asked import Asked
from dlpipe.service.farm.link import link
from dlpipe.service.farm.tasks import Farm
from dlpipe.service.places import DATABASE, Places
from dlpipe.service.queue import Lease, Outcome
from dlpipe.service.redact import redact
from dlpipe.service.shared import Shared
from dlpipe.service.tracing import spans
from dlpipe.service.uploads import Uploads
from dlpipe.toolchains.jail.tree import usage

_log = logging.getLogger(__name__)
Order = Literal["go on", "stop", "cancel"]
Events = list[tuple[float, str, Mapping[str, Any]]]

TICK_SECONDS = 0.2
_LOG_SECONDS = 5.0
GRACE_SECONDS = 15.0  # to unwind after SIGTERM: workers end, temporary files go
_SECRETS = ("DLPIPE_TOKEN", "DLPIPE_OIDC_SECRET", "DLPIPE_SERVER", DATABASE)
_INFRASTRUCTURE = (
    "DiskTrouble",
    "StoreUnreachable",
    "ClusterTrouble",
    "Interrupted",
)  # errors that say nothing of the job
_AWAY = ("ClusterUnreachable",)


class Fault(Exception):
    """The machinery failed, not the job."""


class Away(Fault):
    """What every job needs does not answer at all, so another one would fare no better now."""


def attempt(
    places: Places,
    farm: Farm,
    lease: Lease,
    *,
    order: Callable[[], Order],
    on_events: Callable[[Events], None],
    executor: str = "local",
) -> Outcome | Order:
    """How it ended by itself, or what it was ended by. `order` is asked at every tick and may raise, which ends the
    process too. `farm` has the boards that the job may ask for. `executor`: see `Session`. Raises Fault."""
    folder, shared = places.attempt(lease.name, lease.attempt), places.shared(lease.team)
    asked = Asked.of_row(lease.asked)
    try:
        uploads = Uploads(places.uploads(lease.team), shared=shared)
        if (ordered := _holding(lambda: _furnish(folder, lease, asked, uploads), order)) != "go on":
            return ordered
        cache = places.cache(lease.team)
    except OSError as error:
        raise Fault(f"the job's folder cannot be made: {error.strerror}") from error
    except (Lost, StoreUnreachable) as error:
        raise Fault(error.message) from error
    environment = {name: value for name, value in os.environ.items() if name not in (*_SECRETS, *spans.KEYS)}
    if shared is not None:
        environment[child.TEAM_URL] = shared.url
    with link(farm, places, lease, asked) as (variables, descriptors):
        with (folder / child.LOG).open("wb") as log, (folder / child.CHATTER).open("wb") as chatter:
            # -P: Python must not look for modules in the job's folder, whose subfolders hold the user's files
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", child.__name__, str(os.getpid()), executor],
                cwd=folder,
                env={**environment, **variables, "DLPIPE_CACHE_DIR": str(cache)},
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=chatter,
                start_new_session=True,
            )
        try:
            tail = _Tail(folder / child.EVENTS, places.root)
            with _sharing(shared, lease, folder / child.LOG):
                told = _watch(process, lease, tail, order, on_events)
        finally:
            _end(process)
            for name in asked.uploads():
                shutil.rmtree(folder / name, ignore_errors=True)
    return told if told is not None else _outcome(folder, process.returncode)


def _holding(work: Callable[[], None], order: Callable[[], Order]) -> Order:
    """Do what may take longer than a lease lasts. Returns the last order that is not to go on, once it is done."""
    told: Order = "go on"
    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(work)
        while not done.done():
            wait([done], TICK_SECONDS)
            if (now := order()) != "go on":
                told = now
        done.result()
    return told


def _furnish(folder: Path, lease: Lease, asked: Asked, uploads: Uploads) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / child.ASKED).write_text(json.dumps(lease.asked), encoding="utf-8")
    try:
        Asked.model_validate(lease.asked)
    except (
        ValidationError
    ):  # accepted by other rules than today's, where files might lie elsewhere: the process says so
        return
    for name, files in asked.uploads().items():
        for place, digest in files.files.items():
            path = folder / name / place
            path.parent.mkdir(parents=True, exist_ok=True)
            source = uploads.bring(digest)
            try:
                path.hardlink_to(source)
            except OSError:  # too many links, or a file system without them
                shutil.copyfile(source, path)


def _watch(
    process: subprocess.Popen[bytes],
    lease: Lease,
    tail: _Tail,
    order: Callable[[], Order],
    on_events: Callable[[Events], None],
) -> Outcome | Order | None:
    """None once the process has ended by itself."""
    deadline = time.monotonic() + lease.time_limit
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(TICK_SECONDS)
        if events := list(tail):
            on_events(events)
        if process.returncode is not None:
            return None
        if (told := order()) != "go on":
            return told
        if time.monotonic() > deadline:
            return _over(
                "TimeLimit", f"the job took longer than its time limit of {lease.time_limit:g} s", "time_limit"
            )
        if lease.memory_limit is not None and usage(process.pid, lease.memory_limit).memory > lease.memory_limit:
            message = f"the job's processes used more than its memory limit of {lease.memory_limit} bytes"
            return _over("MemoryLimit", message, "memory_limit")


def _over(error: str, message: str, option: str) -> Outcome:
    """The job's own error: tried again it would end in the same way."""
    hint = f"ask for it again with a larger {option}: what is finished is kept"
    return Outcome(4, {"error": error, "exit_code": 4, "message": message, "hint": hint, "where": {}})


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its workers are in jails that end with it."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _outcome(folder: Path, status: int) -> Outcome:
    try:
        result = json.loads((folder / child.RESULT).read_bytes())
    except FileNotFoundError:
        how = f"signal {-status}" if status < 0 else f"status {status}"
        raise Fault(f"the job's process ended with {how}, without a result") from None
    if result["error"] is not None and result["error"]["error"] in _AWAY:
        raise Away(result["error"]["message"])
    if result["error"] is not None and result["error"]["error"] in _INFRASTRUCTURE:  # nobody here interrupted it
        raise Fault(result["error"]["message"])
    return Outcome(result["exit_code"], result["error"], result["written"])


@contextmanager
def _sharing(shared: Shared | None, lease: Lease, log: Path) -> Iterator[None]:
    """Meanwhile readers on other machines see the log, now and then as it grows, and in the end all of it. In a thread
    of its own, since a store that does not answer must not cost the lease; nor does it end the job."""
    if shared is None:
        yield
        return
    ended = threading.Event()

    def send() -> None:
        sent, last = 0, False
        while not last:
            last = ended.wait(_LOG_SECONDS)
            if (size := log.stat().st_size) != sent:
                try:
                    shared.send_log(lease.name, lease.attempt, log)
                    sent = size
                except StoreUnreachable as error:
                    _log.warning("job %s: its log: %s", lease.name, error.message)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class _Tail:
    """Lines as they are appended to a file of events. Of a stage's progress only the latest counts."""

    def __init__(self, path: Path, root: Path) -> None:
        self._path = path
        self._root = root
        self._read = 0

    def __iter__(self) -> Iterator[tuple[float, str, Mapping[str, Any]]]:
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._read)
            found = [json.loads(redact(line, self._root)) for line in self._lines(file.read())]
            for index, each in enumerate(found):
                stage, kind = each.get("stage"), each.pop("event")
                later = (other for other in found[index + 1 :] if other.get("stage") == stage)
                if kind != "StageProgress" or not any(other["event"] == kind for other in later):
                    yield datetime.fromisoformat(each.pop("time")).timestamp(), kind, each

    def _lines(self, text: bytes) -> list[str]:
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.decode().split("\n")[:-1]
