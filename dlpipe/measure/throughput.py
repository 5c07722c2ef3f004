"""Samples per second of several clients that ask at once, each in a process of its own, one request after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from dlpipe.contracts.figure import Figure
from dlpipe.errors import DlpipeError, Interrupted
from dlpipe.measure import statistics
from dlpipe.measure.timing import NOISY_INTERVAL, Progress, rotated, silent

ROUNDS = 7
PILOT = 5  # runs that tell how many fit a round
MAX_RUNS = 2000  # per round and client
TOGETHER = 0.5  # of the longest client's time: how long all must have been at work for a round to count


@dataclass(frozen=True, slots=True)
class Point:
    """`clients` at once, each with `batch` samples in a request."""

    model: str
    clients: int
    batch: int

    def __str__(self) -> str:
        return f"{self.model}, {self.clients} at once, batch {self.batch}"


@dataclass(frozen=True, slots=True)
class Client:
    """What one did in a round: the seconds of its runs, one after the other, the last of which ended at `ended`."""

    ended: float
    seconds: Sequence[float]

    @property
    def began(self) -> float:
        return self.ended - sum(self.seconds)


Runner = Callable[[int, int], Sequence[Client]]  # warm-up, runs


@dataclass(slots=True)
class _Found:
    rates: list[float] = field(default_factory=list)  # samples/s, of the rounds that count
    seconds: list[float] = field(default_factory=list)  # of every run
    error: str | None = None


def rate(clients: Sequence[Client]) -> float | None:
    """Runs per second while all clients were at work, parts of runs counted. None where that was too short a time."""
    start, end = max(each.began for each in clients), min(each.ended for each in clients)
    longest = max(each.ended - each.began for each in clients)
    if end - start < TOGETHER * longest or longest <= 0:
        return None
    return sum(_within(each, start, end) for each in clients) / (end - start)


def _within(client: Client, start: float, end: float) -> float:
    """How many of its runs lie between the two moments."""
    found, began = 0.0, client.began
    for seconds in client.seconds:
        if seconds > 0:
            found += max(0.0, min(end, began + seconds) - max(start, began)) / seconds
        began += seconds
    return found


def sweep(
    runners: Mapping[Point, Runner],
    *,
    rounds: int = ROUNDS,
    seconds_each: float = 0.25,
    on_progress: Progress | None = None,
) -> dict[Point, dict[str, Figure]]:
    """Every point in every round, the order rotated. seconds_each: about how long a point runs in a round.

    Returns for each point "throughput" (samples/s, the median of the rounds) and "latency_p50", "latency_p95" (ms, of
    one request under that load). One whose runner raised a DlpipeError has its throughput absent with the reason.
    """
    say = on_progress or silent
    found = {point: _Found() for point in runners}
    runs: dict[Point, int] = {}
    for point, runner in runners.items():
        say(f"warming up {point}", 0.0)
        try:
            runner(1, 1)
            pilot = max(1e-7, *(fmean(client.seconds) for client in runner(0, PILOT)))
            runs[point] = max(1, min(MAX_RUNS, int(seconds_each / pilot)))
        except Interrupted:  # whoever stops the run does not mean this one alone
            raise
        except DlpipeError as error:
            found[point].error = error.message
    order = sorted(runs, key=str)
    places = {str(point): point for point in order}
    for number in range(rounds):
        for name in rotated(list(places), number):
            point, each = places[name], found[places[name]]
            if each.error is not None:
                continue
            say(f"{name}, round {number + 1} of {rounds}", number / rounds)
            try:
                clients = runners[point](1, runs[point])
            except Interrupted:  # whoever stops the run does not mean this one alone
                raise
            except DlpipeError as error:
                each.error = error.message
                continue
            each.seconds += [seconds for client in clients for seconds in client.seconds]
            if (found_rate := rate(clients)) is not None:
                each.rates.append(point.batch * found_rate)
    return {point: _figures(point, each) for point, each in found.items()}


def _figures(point: Point, found: _Found) -> dict[str, Figure]:
    if found.error is not None:
        return {"throughput": Figure.absent(f"it could not be timed: {found.error}", "1/s")}
    if not found.rates:
        return {"throughput": Figure.absent("the clients were hardly ever at work together", "1/s")}
    median, low, high = statistics.median_interval([[each] for each in found.rates])
    reason = f"{point.clients} at once, each a process of its own, batch {point.batch}, {len(found.rates)} rounds"
    if (high - low) / median > NOISY_INTERVAL:
        reason = f"too noisy to say: with 95 % confidence it lies somewhere between {_round(low)} and {_round(high)}"
    return {
        "throughput": Figure(value=median, unit="1/s", provenance="measured", reason=reason, ci95=(low, high)),
        **{
            f"latency_p{q}": Figure(
                value=1e3 * statistics.percentile(found.seconds, q), unit="ms", provenance="measured"
            )
            for q in (50, 95)
        },
    }


def _round(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def as_json(cost: Mapping[str, Figure]) -> dict[str, Any]:
    return {key: figure.model_dump() for key, figure in cost.items()}
