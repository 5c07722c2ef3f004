"""Timing is one stage over the reference and all candidates together, interleaved, with the machine to itself.

Its key is the sorted digests of what is timed, and the machine's fingerprint: another machine measures anew.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from dlpipe.contracts.call import Call
from dlpipe.contracts.json import digest
from dlpipe.measure import energy
from dlpipe.measure.machine import fingerprint
from dlpipe.measure.timing import BASELINES, interleave
from dlpipe.pipeline import boards
from dlpipe.pipeline.events import StageFinished, StageProgress, StageStarted
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Outcome, Stage, key_parts
from dlpipe.pipeline.store import Record

ORIGINAL, RUNTIME = BASELINES  # the names of the two models that speed-ups are ratios to
SECONDS_EACH = 1.5
STAGE = "timing"
_OF_BOARD = "the counters of a board are not read"
_OF_DEVICE = "the counters of this device are not read"


@dataclass(frozen=True, slots=True)
class Timed:
    """One model to be timed: a `time` operation and the folders it reads (name -> tree digest)."""

    name: str
    call: Call
    inputs: Mapping[str, str]


def measure_timing(session: Session, candidates: list[Timed], name: str = STAGE) -> Outcome:
    """Returns the outcome whose value maps each name to what `measure.timing` found, with the date of the runs.
    `name`: of the stage, for a second machine's timings."""
    executor = session.executor
    stages = [Stage(each.name, "timing", each.call) for each in candidates]
    parts: dict[str, Any] = {
        "timed": {
            each.name: key_parts(stage, each.inputs, session.toolchains)
            for each, stage in zip(candidates, stages, strict=True)
        },
        "machine": fingerprint(),
        "energy": _name(energy.find()),
    }
    key = digest(parts)
    started = time.monotonic()
    stage = stages[0]
    record = session.store.get(key)
    if record is None:
        session.bus.emit(StageStarted(stage=name, kind="timing"))
        with alone(session.cache):
            value = _run(session, candidates)
        record = Record(
            key=key,
            parts=parts,
            output=None,
            value={"date": datetime.now(UTC).isoformat(timespec="seconds"), "timed": value},
            notes=(),
            seconds=time.monotonic() - started,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            tools={},
        )
        record = session.store.put(record)
        cache: Literal["hit", "miss"] = "miss"
    else:
        cache = "hit"
    session.bus.emit(
        StageFinished(stage=name, kind="timing", cache=cache, seconds=time.monotonic() - started, status="ok")
    )
    outcome = executor.outcomes[name] = Outcome(stage, "ok", cache, key, record)
    return outcome


def _run(session: Session, candidates: list[Timed]) -> dict[str, Any]:
    executor = session.executor
    with ExitStack() as held:
        timers: dict[str, Callable[[int, int], Mapping[str, Any]]] = {}
        workers: dict[tuple[str, tuple[str, ...]], Any] = {}
        for index, each in enumerate(candidates):
            if each.call.board is not None:
                there = boards.timer(each.call, each.inputs, handle_of(each), executor.fill)
                timers[each.name] = held.enter_context(there)
                continue
            seat = (each.call.toolchain, each.call.resources)
            if seat not in workers:
                workers[seat] = held.enter_context(executor.pool.worker(*seat))
            worker = workers[seat]
            place = worker.place(f"timed-{index}")
            executor.fill(place.inputs, each.inputs)
            timers[each.name] = _timer(worker, each, place)
        return interleave(
            timers,
            seconds_each=SECONDS_EACH,
            meters=_meters(session, candidates, held),
            on_progress=lambda message, fraction: session.bus.emit(
                StageProgress(stage=STAGE, message=message, fraction=fraction)
            ),
        )


def _meters(session: Session, candidates: list[Timed], held: ExitStack) -> dict[str, energy.Meter | str]:
    """Of what computes each candidate: this machine's processor, or its NVIDIA GPU."""
    own = energy.find()
    found: dict[str, energy.Meter | str] = {}
    gpu: energy.Meter | str | None = None
    for each in candidates:
        devices = session.toolchains.devices(each.call.toolchain)
        if each.call.board is not None:
            found[each.name] = _OF_BOARD
        elif "nvidia" in devices:
            gpu = gpu if gpu is not None else held.enter_context(energy.nvidia())
            found[each.name] = gpu
        else:
            found[each.name] = _OF_DEVICE if devices else own
    return found


def _name(meter: energy.Meter | str) -> str:
    return meter if isinstance(meter, str) else meter.name


def _timer(worker: Any, each: Timed, place: Any) -> Callable[[int, int], Mapping[str, Any]]:
    def run(warmup: int, runs: int) -> Mapping[str, Any]:
        params = {**each.call.params, "handle": handle_of(each), "warmup": warmup, "runs": runs}
        value: Mapping[str, Any] = worker.call(replace(each.call, params=params), place, _ignore)
        return value

    return run


def handle_of(each: Timed) -> str:
    """Under which its worker keeps the model open: another one for another model of the same name, since a worker lives
    through several timings."""
    return digest({"name": each.name, "inputs": dict(each.inputs), "params": dict(each.call.params)})


def _ignore(event: Mapping[str, Any]) -> None:
    """The rounds of a timing are too many to be told one by one."""


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """One timing at a time on this machine, whoever runs dlpipe."""
    with (cache / "timing.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
