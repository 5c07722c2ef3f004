"""`dlpipe worker`: leases one job after another and runs each in a process of its own."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

from sqlalchemy.exc import OperationalError

from dlpipe.pipeline.cluster.connection import connection
from dlpipe.service.child import end_with
from dlpipe.service.database import open_database
from dlpipe.service.farm.tasks import Farm
from dlpipe.service.places import Places
from dlpipe.service.queue import Lease, LeaseLost, Outcome, Queue
from dlpipe.service.running import Away, Events, Fault, Order, attempt
from dlpipe.service.tracing import spans
from dlpipe.service.tracing.stages import Stages

IDLE_SECONDS = 0.5
SEEN_SECONDS = 10.0
AWAY_SECONDS = (5.0, 60.0)  # before the next job, where what all jobs need is away: twice as long each time, up to
_log = logging.getLogger(__name__)


class Worker:
    """One job at a time: what runs beside each other in a job, its process decides."""

    def __init__(self, places: Places, queue: Queue, farm: Farm, executor: str = "local") -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        self._places = places
        self._queue = queue
        self._farm = farm
        self._executor = executor
        self._stop = threading.Event()
        self._away = 0.0
        self._away_until = 0.0

    def stop(self) -> None:
        """As soon as can be; a job that runs goes back into the queue. Safe in a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Until `stop`. The database may go away and come back."""
        try:
            told = -SEEN_SECONDS
            while not self._stop.is_set():
                try:
                    if time.monotonic() - told >= SEEN_SECONDS:
                        self._queue.seen(self.name)
                        told = time.monotonic()
                    lease = self._queue.lease(self.name) if time.monotonic() >= self._away_until else None
                    if lease is not None:
                        self._work(lease)
                        continue
                except OperationalError as error:
                    _log.warning("the database does not answer: %s", error.orig)
                self._stop.wait(IDLE_SECONDS)
        finally:
            with suppress(OperationalError):
                self._queue.gone(self.name)

    def _work(self, lease: Lease) -> None:
        said: dict[str, str | int] = {"job": lease.name, "team": lease.team, "attempt": lease.attempt}
        about: dict[str, str | int | float] = {f"dlpipe.{name}": value for name, value in said.items()}
        about |= {"dlpipe.worker": self.name, "dlpipe.lease_seconds": self._queue.lease_seconds}
        about["dlpipe.queue_seconds"] = lease.leased - lease.waited
        with spans.span("job", "consumer", about, parent=lease.trace) as span:
            span.was("wait", lease.waited, lease.leased, {})
            _log.info("job %s: attempt %d", lease.name, lease.attempt, extra=said)
            try:
                ended, error = self._attempt(lease, said, Stages(span))
            except LeaseLost:
                _log.warning("job %s: the lease is lost, another worker has it", lease.name, extra=said)
                ended, error = "lease lost", "LeaseLost"
            span.set({"dlpipe.ended": ended})
            if error is not None:
                span.failed(error)

    def _attempt(self, lease: Lease, said: Mapping[str, str | int], stages: Stages) -> tuple[str, str | None]:
        """How it ended, and the type of what went wrong. Raises LeaseLost."""
        watch = _Watch(self._queue, self.name, lease, self._stop, stages)
        try:
            given = (self._places, self._farm, lease)
            ended = attempt(*given, order=watch.order, on_events=watch.record, executor=self._executor)
        except Away as away:
            shortest, longest = AWAY_SECONDS
            self._away = min(longest, max(shortest, 2 * self._away))
            self._away_until = time.monotonic() + self._away
            _log.warning("job %s: %s; no other job before %g s have passed", lease.name, away, self._away, extra=said)
            self._queue.give_back(lease, str(away))
            return "given back", type(away).__name__
        except Fault as fault:
            _log.warning("job %s: %s", lease.name, fault, extra=said)
            self._queue.fault(lease, str(fault))
            return "given back", type(fault).__name__
        finally:
            stages.end(time.time())
        self._away = 0.0
        told: tuple[str, str | None]
        match ended:
            case Outcome():
                self._queue.finish(lease, ended)
                told = ended.state, (ended.error or {}).get("error")
            case "cancel":
                self._queue.finish_cancelled(lease)
                told = "cancelled", None
            case _:
                self._queue.give_back(lease)
                told = "given back", None
        _log.info("job %s: %s", lease.name, ended, extra=said)
        return told


class _Watch:
    """Keeps the lease while the job's process runs, and hands on what the user wants of it."""

    def __init__(self, queue: Queue, worker: str, lease: Lease, stop: threading.Event, stages: Stages) -> None:
        self._queue, self._worker, self._lease, self._stop, self._stages = queue, worker, lease, stop, stages
        self._every = min(1.0, queue.lease_seconds / 5)  # a cancelled job is to stop soon
        self._renewed = time.monotonic()

    def order(self) -> Order:
        if self._stop.is_set():
            return "stop"
        now = time.monotonic()
        if now - self._renewed < self._every:
            return "go on"
        try:
            going = self._queue.renew(self._lease)
            self._queue.seen(self._worker)
        except OperationalError:
            if now - self._renewed > self._queue.lease_seconds:
                raise LeaseLost(self._lease.name) from None
            return "go on"
        self._renewed = now
        return "go on" if going else "cancel"

    def record(self, events: Events) -> None:
        self._stages.hear(events)
        try:
            self._queue.record(self._lease, events)
        except OperationalError as error:
            _log.warning("events are lost: %s", error.orig)


def run_worker(places: Places, *, lease_seconds: float, executor: str = "local", parent: int | None = None) -> None:
    """Until SIGTERM or SIGINT, or until the process `parent`, which started this one, ends. `executor`: see `Session`.
    Raises UserError, ToolMissing."""
    connection(executor)  # raises now what every job would raise
    spans.start("dlpipe-worker")
    places.make()
    database = open_database(places.database)
    database.migrate()
    farm = Farm(database, lease_seconds=lease_seconds)
    worker = Worker(places, Queue(database, lease_seconds=lease_seconds), farm, executor)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    if parent is not None:
        end_with(parent, signal.SIGTERM)
    worker.run()
    database.close()
    spans.stop()
