"""`dlpipe serve`: the API and the web pages in this process, workers beside it."""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import uvicorn

from dlpipe import __version__
from dlpipe.errors import ToolMissing, UserError
from dlpipe.pipeline.cluster.connection import connection
from dlpipe.service import accounts, audit
from dlpipe.service.api.agents import OUTPUTS
from dlpipe.service.api.app import PREFIX, make_app
from dlpipe.service.api.gate import Gate, Manners
from dlpipe.service.api.middleware import Guard
from dlpipe.service.api.state import State
from dlpipe.service.api.traced import Traced
from dlpipe.service.audit import SERVICE
from dlpipe.service.connections import Connection
from dlpipe.service.database import open_database
from dlpipe.service.draining import DrainingServer
from dlpipe.service.gc import Regularly
from dlpipe.service.loglines import LogFormat
from dlpipe.service.oidc.signing import Oidc
from dlpipe.service.places import Places
from dlpipe.service.queue import Queue
from dlpipe.service.tracing import spans
from dlpipe.service.web.app import refusal, with_pages
from dlpipe.toolchains.jail import describe

DRAIN_SECONDS = 10
_SECRETS = ("DLPIPE_TOKEN", "DLPIPE_OIDC_SECRET")  # which no worker gets
_AGAIN_SECONDS = 2.0  # between a worker's end and its successor's start
_log = logging.getLogger(__name__)


def serve(
    places: Places,
    *,
    host: str,
    port: int,
    token: str | None,
    workers: int,
    max_upload: int,
    lease_seconds: float,
    executor: str,
    unjailed: bool,
    keep_days: float | None,
    drain_seconds: float,
    log_format: LogFormat,
    manners: Manners,
    proxy: str | None = None,
    max_connections: int = 1000,
    oidc: Oidc | None = None,
) -> None:
    """Until SIGTERM or SIGINT: `/readyz` refuses, `drain_seconds` later nothing is taken any more, requests that run
    are answered, jobs that run go back into the queue.

    token: see `accounts.first_administrator`. unjailed: start even where model files cannot be kept from the network
    and the machine's files. keep_days: see `gc.collect`; None: nothing is removed. proxy: the addresses, separated by
    commas, of proxies before it: they are believed where a request comes from, and whether it came by TLS. oidc: who
    else vouches for people and programs. Raises UserError, ToolMissing.
    """
    connection(executor)  # raises now what every job would raise
    traced = spans.start("dlpipe-api")
    if not unjailed:
        check_jail()
    places.make()
    database = open_database(places.database)
    database.migrate()
    with database.write() as session:
        now = database.now(session)
        known = accounts.first_administrator(session, token, now)
        settings: dict[str, Any] = {
            "version": __version__,
            "host": host,
            "proxy": proxy,
            "unjailed": unjailed,
            "keep_days": keep_days,
            "oidc": oidc.issuers if oidc is not None else [],
        }
        audit.record(session, now, SERVICE, "service.start", **settings)
    state = State(places, database, Queue(database, lease_seconds=lease_seconds), max_upload, oidc=oidc)
    state.metrics.ended(database)
    pages = with_pages(make_app(state), state)
    gate = Gate(pages, manners, (f"{PREFIX}/uploads/", PREFIX + OUTPUTS), state.knows, refusal, state.turned_away.count)
    guard = Guard(gate, state.metrics, state.turned_away.count)
    config = uvicorn.Config(
        Traced(guard, PREFIX) if traced else guard,
        host=host,
        port=port,
        log_config=None,
        access_log=False,  # addresses may hold what a search looked for
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        lifespan="off",
        http=Connection,
        ws="none",
        proxy_headers=proxy is not None,
        forwarded_allow_ips=proxy or "",
        limit_concurrency=max_connections,
    )
    listening = _bind(config)
    where = f"{'https' if config.is_ssl else 'http'}://{host if ':' not in host else f'[{host}]'}"
    say = _log.info if log_format == "json" else _say
    say(f"serving on {where}:{listening.getsockname()[1]}, data in {places.root}")
    if not known:
        say("DLPIPE_TOKEN is none of this service's tokens: it counts on the first start alone")
    if not _is_loopback(host):
        say("tokens travel unencrypted: put a proxy that speaks TLS before it")
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn hands on what it was stopped by, and we are not done then
        signal.signal(number, lambda *_: None)
    with (
        _Workers(workers, lease_seconds, executor, log_format),
        Regularly(database, places, keep_days),
        state.turned_away,
    ):
        DrainingServer(config, state.draining, drain_seconds).run([listening])
    database.close()
    spans.stop()


def _say(text: str) -> None:
    sys.stderr.write(f"dlpipe: {text}\n")
    sys.stderr.flush()


def check_jail() -> None:
    """Raises ToolMissing where strangers' model files would not be kept from the network and from files."""
    found = describe()
    if not found["isolated"]:
        missing = " and ".join(found["missing"])
        raise ToolMissing(
            f"the jail for strangers' model files has no {missing} on this machine, so the service does not start",
            hint=f"{found['remedy']}; or --allow-unjailed, where you trust every model that will come",
        )


def _bind(config: uvicorn.Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((config.host, config.port))
        made.listen(config.backlog)
    except OSError as error:
        made.close()
        raise UserError(
            f"cannot listen on {config.host}:{config.port}: {error.strerror}", hint="--port chooses another"
        ) from error
    return made


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Workers:
    """Worker processes; one that dies is followed by another. They end with this process, even if it is killed."""

    def __init__(self, count: int, lease_seconds: float, executor: str, log_format: LogFormat) -> None:
        self._stop = threading.Event()
        lease = f"{lease_seconds:g}"
        command = [sys.executable, "-m", "dlpipe", "worker", "--lease", lease]
        command += ["--executor", executor, "--log-format", log_format, "--parent", str(os.getpid())]
        self._threads = [threading.Thread(target=self._keep, args=(command,)) for _ in range(count)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _keep(self, command: list[str]) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
        while not self._stop.is_set():
            with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True) as worker:
                while worker.poll() is None and not self._stop.wait(0.2):
                    pass
                if worker.poll() is None:
                    worker.send_signal(signal.SIGTERM)
            if not self._stop.is_set():
                _log.warning("a worker ended with status %s; another one is started", worker.returncode)
                self._stop.wait(_AGAIN_SECONDS)
