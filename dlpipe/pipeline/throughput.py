"""Throughput of models against how many ask at once and how many samples a request holds.

A client is a warm worker of its own, kept to one core, with one thread and one request under way: what a server with a
process per core does. Nothing is said of several threads within one process.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.json import digest
from dlpipe.data import join_call, pick_call, split_call
from dlpipe.errors import UserError
from dlpipe.ir.calls import generate_call
from dlpipe.measure import fidelity_call
from dlpipe.measure.machine import fingerprint
from dlpipe.measure.throughput import Client, Point, Runner, as_json, sweep
from dlpipe.pipeline.compare import run_stage
from dlpipe.pipeline.crowd import Crowd
from dlpipe.pipeline.events import StageFinished, StageProgress, StageStarted
from dlpipe.pipeline.request import SEED
from dlpipe.pipeline.runnable import RUN_FILE, Runnable
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage, key_parts
from dlpipe.pipeline.store import Record
from dlpipe.pipeline.timing import Timed, alone, handle_of
from dlpipe.toolchains.worker import Worker

STAGE = "throughput"
MOST_CLIENTS = 64
MOST_SAMPLES = 1024  # in a request


def measure_throughput(
    session: Session, models: Mapping[str, Runnable], clients: Sequence[int], batches: Sequence[int]
) -> dict[str, Any]:
    """models: by name; all take the same inputs. Returns {"date", "cores": [CPU], "others": as of
    `measure_timing`,
    "points": [{"model", "clients", "batch", "cost": {key: Figure}}]} as JSON, in that order.

    A batch counts only where the model gives the same for it as for its samples one by one; else its figure is absent
    with the reason.
    """
    ready, refused = _prepare(session, models, batches)
    points = [Point(name, many, batch) for name in models for batch in batches for many in clients]
    possible = [each for each in points if (each.model, each.batch) in ready]
    value = _measured(session, possible, ready) if possible else {"date": None, "cores": cores(), "costs": {}}
    return {
        "date": value["date"],
        "cores": value["cores"],
        "others": value.get("others"),
        "points": [
            {
                "model": each.model,
                "clients": each.clients,
                "batch": each.batch,
                "cost": value["costs"].get(str(each))
                or as_json({"throughput": Figure.absent(refused[each.model, each.batch], "1/s")}),
            }
            for each in points
        ],
    }


def cores() -> list[int]:
    """The CPUs that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def check(clients: Sequence[int], batches: Sequence[int]) -> None:
    """Raises UserError for numbers that `measure_throughput` does not take."""
    _check(clients, MOST_CLIENTS, "--concurrency")
    _check(batches, MOST_SAMPLES, "--batch")


def _check(numbers: Sequence[int], most: int, option: str) -> None:
    if not numbers or min(numbers) < 1 or max(numbers) > most or len(set(numbers)) < len(numbers):
        raise UserError(f"{option} takes different numbers from 1 to {most}, such as 1,2,4")


Ready = Mapping[tuple[str, int], Timed]  # (model, batch) -> what is timed


def _prepare(
    session: Session, models: Mapping[str, Runnable], batches: Sequence[int]
) -> tuple[Ready, dict[tuple[str, int], str]]:
    """The requests of every batch, and why a model does not take one."""
    first = next(iter(models.values()))
    free = {port.shape[0]: 1 for port in first.contract.inputs if port.shape and isinstance(port.shape[0], str)}
    single = Stage("samples:one", "data", generate_call(max(batches), SEED, free), {"ir": first.feeds})
    session.executor.run([single])
    ready: dict[tuple[str, int], Timed] = {}
    refused: dict[tuple[str, int], str] = {}
    for name, model in models.items():
        for batch in batches:
            if model.time is None:
                refused[name, batch] = "its parts run in processes of their own, one after the other"
                continue
            if model.time.board is not None:
                refused[name, batch] = "a board is asked by one client only"
                continue
            reason = None if batch == 1 else _fixed(model) or _differs(session, name, model, batch)
            if reason is not None:
                refused[name, batch] = reason
                continue
            fed = session.executor.outcomes["samples:one" if batch == 1 else f"samples:batch{batch}"].output
            inputs = {key: tree.removeprefix("tree:") for key, tree in model.inputs.items()}
            ready[name, batch] = Timed(f"{name} batch {batch}", model.time, {**inputs, "samples": fed})
    return ready, refused


def _fixed(model: Runnable) -> str | None:
    """Why it takes no batch, by what it says of itself."""
    for port in model.contract.inputs:
        if not port.shape or not isinstance(port.shape[0], str):
            return f"its batch is fixed: {port.name} is {list(port.shape)}"
    file = Path(model.spec) / RUN_FILE
    ports = json.loads(file.read_text(encoding="utf-8"))["inputs"] if model.tool is not None else []
    compiled = [port["shape"][0] for port in ports if port.get("shape") and isinstance(port["shape"][0], int)]
    return f"it was compiled for a batch of {compiled[0]}" if compiled else None


def _differs(session: Session, name: str, model: Runnable, batch: int) -> str | None:
    """Why its answers to a batch cannot be relied on: they must be those to its samples one by one."""
    if model.run is None:
        return "nothing here executes it, so its answers to a batch cannot be checked"
    ones, whole = f"samples:ones{batch}", f"samples:batch{batch}"
    answers = f"run:{name}:{batch}"
    stages = [
        Stage(ones, "data", pick_call(range(batch)), {"data": "samples:one"}),
        Stage(whole, "data", join_call(batch), {"data": "samples:one"}),
        run_stage(session, model, f"{answers}:ones", ones),
        run_stage(session, model, f"{answers}:whole", whole),
        Stage(f"{answers}:split", "data", split_call(batch), {"data": f"{answers}:whole"}),
        Stage(f"fidelity:{name}:{batch}", "measure", fidelity_call(model.variant),
              {"reference": f"{answers}:ones", "candidate": f"{answers}:split"}),
    ]  # fmt: skip
    last = session.executor.run([replace(each, required=False) for each in stages])[stages[-1].id]
    if last.status != "ok":
        return f"a batch of {batch} does not run: {last.error.message if last.error else last.reason}"
    if not last.value["passed"]:
        return f"it answers a batch of {batch} otherwise than its samples one by one: {last.value['reason']}"
    return None


def _measured(session: Session, points: Sequence[Point], ready: Ready) -> dict[str, Any]:
    """{"date", "cores", "costs": {point: {key: Figure}}}, from the store where this machine has measured it before."""
    parts = {
        "points": {
            str(each): key_parts(
                Stage(STAGE, "timing", (timed := ready[each.model, each.batch]).call), timed.inputs, session.toolchains
            )
            for each in points
        },
        "machine": fingerprint(),
    }
    key = digest(parts)
    started = time.monotonic()
    record = session.store.get(key)
    cache: Any = "hit" if record is not None else "miss"
    if record is None:
        session.bus.emit(StageStarted(stage=STAGE, kind="timing"))
        with alone(session.cache):
            crowd = Crowd()
            costs = _run(session, points, ready)
            others = crowd.share()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        record = session.store.put(
            Record(
                key=key,
                parts=parts,
                output=None,
                value={"date": now, "cores": cores(), "costs": costs, "others": others},
                notes=(),
                seconds=time.monotonic() - started,
                created=now,
                tools={},
            )
        )
    session.bus.emit(
        StageFinished(stage=STAGE, kind="timing", cache=cache, seconds=time.monotonic() - started, status="ok")
    )
    value: dict[str, Any] = record.value
    return value


def _run(session: Session, points: Sequence[Point], ready: Ready) -> dict[str, Any]:
    many = max(each.clients for each in points)
    seats = dict.fromkeys((timed.call.toolchain, timed.call.resources) for timed in ready.values())
    with ExitStack() as held:
        workers = {seat: held.enter_context(_pinned(session, seat, many)) for seat in seats}
        calls: dict[tuple[str, int], list[Callable[[int, int], Client]]] = {}
        for number, (what, timed) in enumerate(ready.items()):
            seated = workers[timed.call.toolchain, timed.call.resources]
            calls[what] = [_client(session, worker, timed, f"load-{number}") for worker in seated]
        threads = held.enter_context(ThreadPoolExecutor(many, thread_name_prefix="client"))
        found = sweep(
            {each: _at_once(threads, calls[each.model, each.batch][: each.clients]) for each in points},
            on_progress=lambda message, fraction: session.bus.emit(
                StageProgress(stage=STAGE, message=message, fraction=fraction)
            ),
        )
    return {str(point): as_json(cost) for point, cost in found.items()}


@contextmanager
def _pinned(session: Session, seat: tuple[str, tuple[str, ...]], many: int) -> Iterator[list[Worker]]:
    """As many workers of a toolchain, the first on the first core, and so on around."""
    usable = cores()
    with ExitStack() as held:
        workers = [held.enter_context(session.executor.pool.worker(*seat)) for _ in range(many)]
        for number, worker in enumerate(workers):
            worker.pin([usable[number % len(usable)]])
        try:
            yield workers
        finally:
            for worker in workers:  # they may serve others after this
                worker.pin(usable)


def _client(session: Session, worker: Worker, timed: Timed, label: str) -> Callable[[int, int], Client]:
    place = worker.place(label)
    session.executor.fill(place.inputs, timed.inputs)

    def run(warmup: int, runs: int) -> Client:
        params = {**timed.call.params, "handle": handle_of(timed), "warmup": warmup, "runs": runs}
        value = worker.call(replace(timed.call, params=params), place)
        return Client(time.monotonic(), value["seconds"])

    return run


def _at_once(threads: ThreadPoolExecutor, clients: Iterable[Callable[[int, int], Client]]) -> Runner:
    mine = list(clients)

    def run(warmup: int, runs: int) -> list[Client]:
        return [each.result() for each in [threads.submit(client, warmup, runs) for client in mine]]

    return run
