"""Interleaved timing: all candidates take turns, so that what disturbs the machine disturbs them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dlpipe.contracts.figure import Figure
from dlpipe.errors import DlpipeError, Interrupted
from dlpipe.measure import statistics
from dlpipe.measure.energy import Meter

Timer = Callable[[int, int], Mapping[str, Any]]
Progress = Callable[[str, float | None], None]

BASELINES = {"original": "original", "reference-runtime": "reference-runtime"}  # baseline -> candidate's name
ROUNDS = 10
WARMUP = 3
MAX_RUNS = 50  # per round and candidate
NOISY_SPREAD = 0.25  # interquartile range / median
NOISY_INTERVAL = 0.5  # width of a ratio's interval / the ratio
SHARE_OF_WINDOW = 0.8  # of the time that an energy counter was watched: what the runs themselves must take at least
_RSS = "by the kernel's account, of the whole worker process: its runtime, and what it had open before"
NO_METER = "no energy counter was read"


@dataclass(slots=True)
class _Times:
    """What one candidate gave. Seconds, in rounds; `first` is what the worker said on the first call."""

    first: Mapping[str, Any]
    rounds: list[list[float]] = field(default_factory=list)
    joules: list[float] = field(default_factory=list)  # of a whole round, its warm-up included
    watched: float = 0.0  # seconds that the counter was watched

    def all(self) -> list[float]:
        return [value for runs in self.rounds for value in runs]


def interleave(
    timers: Mapping[str, Timer],
    *,
    baselines: Mapping[str, str] = BASELINES,
    rounds: int = ROUNDS,
    seconds_each: float = 5.0,
    meters: Mapping[str, Meter | str] = MappingProxyType({}),
    clock: Callable[[], float] = time.monotonic,
    on_progress: Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Time every candidate in `rounds` rounds, the order rotated from round to round.

    timers: name -> function (warmup, runs) that returns what a `time` operation does ("seconds" per run and, on the
    first call, "load_seconds", "first_seconds", "peak_rss"). baselines: which candidate each kind of baseline is;
    those that are not among the timers are left out. seconds_each: about how long each candidate may run in
    all; the number of runs per round (1 to 50) follows from it. meters: whose energy counter is read around each
    round, or the reason why none is. clock: seconds.
    Returns JSON: name -> {"cost": {key: Figure}, "speedups": [Speedup], "runs", "rounds", "cv", "noise": why the
    figures say little, or None}; a candidate whose timer raised a DlpipeError -> {"cost": ..., "speedups": [],
    "error": ...} with its cost absent. Noise never raises: it is said.
    """
    say = on_progress or silent
    times: dict[str, _Times] = {}
    errors: dict[str, str] = {}
    runs: dict[str, int] = {}
    for name, timer in timers.items():
        say(f"warming up {name}", 0.0)
        try:
            times[name] = _Times(timer(WARMUP, 1))
            pilot = max(times[name].first["seconds"][-1], 1e-7)
            runs[name] = max(1, min(MAX_RUNS, int(seconds_each / (rounds * pilot))))
        except Interrupted:  # whoever stops the run does not mean this one alone
            raise
        except DlpipeError as error:
            errors[name] = error.message
    for number in range(rounds):
        for name in rotated(sorted(times.keys() - errors.keys()), number):
            say(f"timing {name}, round {number + 1} of {rounds}", number / rounds)
            try:
                _round(times[name], timers[name], runs[name], meters.get(name), clock)
            except Interrupted:  # whoever stops the run does not mean this one alone
                raise
            except DlpipeError as error:
                errors[name] = error.message
    found = {name: each for name, each in times.items() if name not in errors}
    return {
        name: _failed(errors[name]) if name in errors else _result(name, found, baselines, meters.get(name, NO_METER))
        for name in timers
    }


def _round(times: _Times, timer: Timer, runs: int, meter: Meter | str | None, clock: Callable[[], float]) -> None:
    if meter is None or isinstance(meter, str):
        times.rounds.append(list(timer(1, runs)["seconds"]))
        return
    began, before = clock(), meter.joules()
    times.rounds.append(list(timer(1, runs)["seconds"]))
    times.joules.append(meter.joules() - before)
    times.watched += clock() - began


def silent(message: str, fraction: float | None) -> None:
    pass


def rotated(names: Sequence[str], number: int) -> list[str]:
    """The order of round `number`: another one begins each time, and every second pass over them runs backwards,
    so that none always follows the same neighbour."""
    if not names:
        return []
    start = number % len(names)
    order = [*names[start:], *names[:start]]
    return order[::-1] if (number // len(names)) % 2 else order


def _failed(message: str) -> dict[str, Any]:
    reason = f"it could not be timed: {message}"
    return {"cost": {"latency_p50": Figure.absent(reason, "ms").model_dump()}, "speedups": [], "error": message}


def _result(name: str, found: Mapping[str, _Times], baselines: Mapping[str, str], meter: Meter | str) -> dict[str, Any]:
    times = found[name]
    seconds = times.all()
    noise = _noise(seconds)
    cost = {**_cost(times, seconds, noise), "energy": _energy(times, meter)}
    return {
        "cost": {key: figure.model_dump() for key, figure in cost.items()},
        "speedups": [
            _speedup(label, found[base], times) for label, base in baselines.items() if base in found and base != name
        ],
        "runs": len(seconds),
        "rounds": len(times.rounds),
        "cv": statistics.coefficient_of_variation(seconds),
        "noise": noise,
    }


def _noise(seconds: Sequence[float]) -> str | None:
    spread = statistics.spread(seconds)
    if spread <= NOISY_SPREAD:
        return None
    return f"too noisy to say: the middle half of {len(seconds)} runs spreads over {100 * spread:.0f} % of the median"


def _cost(times: _Times, seconds: Sequence[float], noise: str | None) -> dict[str, Figure]:
    cost = {}
    for q in (50, 95, 99):
        needed = 1 if q == 50 else round(100 / (100 - q))
        cost[f"latency_p{q}"] = (
            Figure(value=1e3 * statistics.percentile(seconds, q), unit="ms", provenance="measured", reason=noise)
            if len(seconds) >= needed
            else Figure.absent(f"{len(seconds)} runs do not show a {q}th percentile ({needed} would)", "ms")
        )
    median, low, high = statistics.median_interval(times.rounds)
    cost["latency_p50"] = cost["latency_p50"].model_copy(update={"ci95": (1e3 * low, 1e3 * high)})
    cost["latency_cv"] = Figure(
        value=statistics.coefficient_of_variation(seconds),
        unit="fraction",
        provenance="measured",
        reason=noise or f"standard deviation over the mean of {len(seconds)} runs",
    )
    if low > 0:
        reason = "one request after the other: the inverse of the median latency"
        cost["throughput"] = Figure(
            value=1 / median, unit="1/s", provenance="measured", reason=reason, ci95=(1 / high, 1 / low)
        )
    for key, field_name, unit, scale, reason in (
        ("load", "load_seconds", "ms", 1e3, "reading the model into a runtime that is already loaded"),
        ("warm_load", "warm_load_seconds", "ms", 1e3, "the same once the runtime has kept what it compiled"),
        ("first_inference", "first_seconds", "ms", 1e3, "the first run after loading"),
        ("peak_memory", "peak_rss", "bytes", 1, _RSS),
    ):
        value = times.first.get(field_name)
        if value is not None:
            cost[key] = Figure(value=scale * value, unit=unit, provenance="measured", reason=reason)
    return cost


def _energy(times: _Times, meter: Meter | str) -> Figure:
    """Of one inference, as a round of them gave it on average; the median of the rounds."""
    if isinstance(meter, str):
        return Figure.absent(meter, "mJ")
    inferences = [len(runs) + 1 for runs in times.rounds]  # the warm-up of each round
    busy = sum(sum(runs) * count / len(runs) for runs, count in zip(times.rounds, inferences, strict=True))
    if busy < SHARE_OF_WINDOW * times.watched or sum(times.joules) <= 0:
        return Figure.absent(f"its runs are too short for {meter.name} to tell what they draw", "mJ")
    each = [[1e3 * joules / count] for joules, count in zip(times.joules, inferences, strict=True)]
    median, low, high = statistics.median_interval(each)
    return Figure(
        value=median,
        unit="mJ",
        provenance="measured",
        reason=f"{meter.name}: all that it counts while the model runs, idle power included",
        ci95=(low, high),
    )


def _speedup(baseline: str, base: _Times, times: _Times) -> dict[str, Any]:
    try:
        ratio, low, high = statistics.ratio_of_medians(base.rounds, times.rounds)
    except ValueError as error:  # a clock too coarse for the model gives times of zero
        return {"baseline": baseline, "value": None, "provenance": "absent", "reason": str(error)}
    noisy = (high - low) / ratio > NOISY_INTERVAL
    reason = None
    if noisy:
        reason = f"too noisy to say: with 95 % confidence it lies somewhere between {low:.2f} and {high:.2f}"
    elif low <= 1 <= high:
        reason = "no difference: the 95 % interval contains 1"
    return {
        "baseline": baseline,
        "value": ratio,
        "ci95": [low, high],
        "provenance": "measured",
        "noisy": noisy,
        "reason": reason,
    }
