"""Timing is one stage over the reference and all candidates together, interleaved, with the machine to itself.

Its key is the sorted digests of what is timed, and the machine's fingerprint (a board's, where that is the machine):
another machine, or the same one with another governor, measures anew.
"""

from __future__ import annotations

import fcntl
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from dlpipe.contracts.call import Call
from dlpipe.contracts.json import digest
from dlpipe.measure import energy
from dlpipe.measure.machine import fingerprint
from dlpipe.measure.timing import BASELINES, Timer, interleave
from dlpipe.pipeline import boards
from dlpipe.pipeline.crowd import Crowd
from dlpipe.pipeline.events import StageFinished, StageProgress, StageStarted
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Outcome, Stage, key_parts
from dlpipe.pipeline.store import Record
from dlpipe.toolchains.agent.farm import BoardLost, FarmBoard, is_farm

ORIGINAL, RUNTIME = BASELINES  # the names of the two models that speed-ups are ratios to
SECONDS_EACH = 1.5
TRIES = 3  # boards of a farm that vanish with a timing
STAGE = "timing"
_OF_BOARD = "the counters of a board are not read"
_OF_DEVICE = "the counters of this device are not read"
_ADDED = ("load_seconds", "first_seconds")  # of parts; the peaks of their processes do not add up to that of one


@dataclass(frozen=True, slots=True)
class Timed:
    """One model to be timed: a `time` operation and the folders it reads (name -> tree digest)."""

    name: str
    call: Call
    inputs: Mapping[str, str]

    @property
    def board(self) -> str | None:
        return self.call.board

    def on(self, board: str) -> Timed:
        return replace(self, call=replace(self.call, board=board))


@dataclass(frozen=True, slots=True)
class TimedInParts:
    """A chain of models, to be timed as the sum of its parts: they live in workers of different toolchains, and no
    process holds them all."""

    name: str
    parts: tuple[Timed, ...]

    @property
    def board(self) -> str | None:
        """All parts are executed for the same target."""
        return self.parts[0].board

    def on(self, board: str) -> TimedInParts:
        return replace(self, parts=tuple(part.on(board) for part in self.parts))

    @property
    def said(self) -> str:
        return f"the sum of its {len(self.parts)} parts, each timed by itself in the same rounds"


def measure_timing(session: Session, candidates: Sequence[Timed | TimedInParts], name: str = STAGE) -> Outcome:
    """Returns the outcome whose value maps each name to what `measure.timing` found ("timed"), with the date of the
    runs, and the share of the CPUs that other programs took meanwhile ("others"; None: not known).
    `name`: of the stage, for a second machine's timings. Raises StageFailed for a board that cannot be asked."""
    if not is_farm(board := candidates[0].board):
        return _measured(session, candidates, name)
    assert board is not None
    farm = FarmBoard(board)
    for machine in farm.machines():  # no board is kept busy with what one of its kind was asked before
        there = [each.on(machine["address"]) for each in candidates]
        if session.store.get(digest(_key(session, there))) is not None:
            return _measured(session, there, name)
    for left in reversed(range(TRIES)):
        with farm.held() as held:
            there = [each.on(held.address) for each in candidates]
            try:
                return _measured(session, there, name, held)
            except BoardLost:
                if not left:
                    raise
    raise AssertionError("unreachable")


def _key(session: Session, candidates: Sequence[Timed | TimedInParts]) -> dict[str, Any]:
    """What the cache key is taken over: what is timed, and which machine times it."""
    models = [part for each in candidates for part in _parts(each)]
    stages = [Stage(each.name, "timing", each.call) for each in models]
    parts: dict[str, Any] = {
        "timed": {
            each.name: key_parts(stage, each.inputs, session.toolchains)
            for each, stage in zip(models, stages, strict=True)
        },
        **_machines(candidates),
    }
    if sums := {each.name: len(each.parts) for each in candidates if isinstance(each, TimedInParts)}:
        parts["sums"] = sums
    return parts


def _machines(candidates: Sequence[Timed | TimedInParts]) -> dict[str, Any]:
    """Of the key: this machine as far as it times anything, and every board. Raises StageFailed where one does not
    answer."""
    found: dict[str, Any] = {}
    if any(each.board is None for each in candidates):
        found = {"machine": fingerprint(), "energy": _name(energy.find())}
    if addresses := sorted({each.board for each in candidates if each.board is not None}):
        found["boards"] = {address: boards.fingerprint(address) for address in addresses}
    return found


def _measured(
    session: Session, candidates: Sequence[Timed | TimedInParts], name: str, held: FarmBoard | None = None
) -> Outcome:
    """held: the board that they are timed on, where that is one of a farm."""
    executor = session.executor
    parts = _key(session, candidates)
    key = digest(parts)
    started = time.monotonic()
    first = _parts(candidates[0])[0]
    stage = Stage(first.name, "timing", first.call)
    record = session.store.get(key)
    if record is None:
        session.bus.emit(StageStarted(stage=name, kind="timing"))
        with alone(session.cache):
            crowd = Crowd()
            value = _run(session, candidates, held)
            others = crowd.share()
        record = Record(
            key=key,
            parts=parts,
            output=None,
            value={
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "timed": value,
                "others": others,
                "board": candidates[0].board,
            },
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


def _run(session: Session, candidates: Sequence[Timed | TimedInParts], board: FarmBoard | None) -> dict[str, Any]:
    with ExitStack() as held:
        opened = _opener(session, held, board)
        timers = {each.name: _in_turn([opened(part) for part in _parts(each)]) for each in candidates}
        found = interleave(
            timers,
            seconds_each=SECONDS_EACH,
            meters=_meters(session, candidates, held),
            on_progress=lambda message, fraction: session.bus.emit(
                StageProgress(stage=STAGE, message=message, fraction=fraction)
            ),
        )
    if board is not None and board.lost is not None:  # what was timed before was timed there: nothing of it counts
        raise board.lost
    for each in candidates:
        if isinstance(each, TimedInParts):
            _say(found[each.name], each.said)
    return found


def _meters(
    session: Session, candidates: Sequence[Timed | TimedInParts], held: ExitStack
) -> dict[str, energy.Meter | str]:
    """Of what computes each candidate: this machine's processor, or its NVIDIA GPU."""
    own = energy.find()
    found: dict[str, energy.Meter | str] = {}
    gpu: energy.Meter | str | None = None
    for each in candidates:
        devices = {kind for part in _parts(each) for kind in session.toolchains.devices(part.call.toolchain)}
        if each.board is not None:
            found[each.name] = _OF_BOARD
        elif "nvidia" in devices and len(_parts(each)) == 1:
            gpu = gpu if gpu is not None else held.enter_context(energy.nvidia())
            found[each.name] = gpu
        else:
            found[each.name] = _OF_DEVICE if devices else own
    return found


def _name(meter: energy.Meter | str) -> str:
    return meter if isinstance(meter, str) else meter.name


def _parts(each: Timed | TimedInParts) -> tuple[Timed, ...]:
    return each.parts if isinstance(each, TimedInParts) else (each,)


def _opener(session: Session, held: ExitStack, board: FarmBoard | None) -> Callable[[Timed], Timer]:
    """Gives each model's timer: on its board, or in the worker that all of its toolchain share until `held` is left."""
    executor = session.executor
    workers: dict[tuple[str, tuple[str, ...]], Any] = {}
    numbers = itertools.count()

    def opened(each: Timed) -> Timer:
        if each.call.board is not None:
            return held.enter_context(boards.timer(each.call, each.inputs, handle_of(each), executor.fill, board))
        seat = (each.call.toolchain, each.call.resources)
        if seat not in workers:
            workers[seat] = held.enter_context(executor.pool.worker(*seat))
        place = workers[seat].place(f"timed-{next(numbers)}")
        executor.fill(place.inputs, each.inputs)
        return _timer(workers[seat], each, place)

    return opened


def _in_turn(timers: Sequence[Timer]) -> Timer:
    """One timer of several: its times are the sums of theirs."""
    if len(timers) == 1:
        return timers[0]

    def run(warmup: int, runs: int) -> Mapping[str, Any]:
        answers = [timer(warmup, runs) for timer in timers]
        sums = {key: sum(each[key] for each in answers) for key in _ADDED if all(key in each for each in answers)}
        return {**sums, "seconds": [sum(each) for each in zip(*(each["seconds"] for each in answers), strict=True)]}

    return run


def _say(result: dict[str, Any], what: str) -> None:
    """In every figure that there is, before what it says already, and as `in_parts`."""
    result["in_parts"] = what
    for figure in (*result["cost"].values(), *result["speedups"]):
        if figure["value"] is not None:
            figure["reason"] = "; ".join(filter(None, (what, figure["reason"])))


def _timer(worker: Any, each: Timed, place: Any) -> Timer:
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
