"""Rates of clients whose clocks are the test's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from dlpipe.errors import Interrupted, StageFailed
from dlpipe.measure.throughput import Client, Point, rate, sweep


def test_one_client_is_as_fast_as_its_runs() -> None:
    assert rate([Client(10.0, [0.5] * 4)]) == pytest.approx(2)


def test_only_the_time_when_all_are_at_work_counts() -> None:
    # The second begins a second later, and the first is done before it: alone, each would seem faster.
    late = [Client(12.0, [0.5] * 4), Client(13.0, [1.0] * 2)]
    assert rate(late) == pytest.approx(3)
    # Half a run lies within the second that both are at work.
    half = [Client(2.0, [2.0]), Client(3.0, [1.0, 1.0])]
    assert rate(half) == pytest.approx(1.5)


def test_clients_that_take_turns_are_not_at_once() -> None:
    assert rate([Client(1.0, [1.0]), Client(2.0, [1.0])]) is None


def at(seconds: float, clients: int) -> Callable[[int, int], Sequence[Client]]:
    now = 0.0

    def run(warmup: int, runs: int) -> Sequence[Client]:
        nonlocal now
        now += (warmup + runs) * seconds
        return [Client(now, [seconds] * runs)] * clients

    return run


def test_samples_per_second_grow_with_clients_and_batch() -> None:
    points = {Point("m", many, batch): at(0.01 * batch, many) for many in (1, 2) for batch in (1, 8)}
    found = sweep(points)
    assert {point: figures["throughput"].value for point, figures in found.items()} == {
        Point("m", 1, 1): pytest.approx(100),
        Point("m", 2, 1): pytest.approx(200),
        Point("m", 1, 8): pytest.approx(100),
        Point("m", 2, 8): pytest.approx(200),
    }
    assert found[Point("m", 2, 8)]["latency_p50"].value == pytest.approx(80)
    assert found[Point("m", 2, 8)]["throughput"].ci95 == pytest.approx((200, 200))


def test_a_rate_that_jumps_is_too_noisy_to_say() -> None:
    calls = 0

    def jumpy(warmup: int, runs: int) -> Sequence[Client]:
        nonlocal calls
        calls += 1
        seconds = 0.01 * (1 + 9 * (calls % 2))
        return [Client(float(calls), [seconds] * runs)]

    found = sweep({Point("m", 1, 1): jumpy})[Point("m", 1, 1)]["throughput"]
    # 10 and 100 samples/s in turn
    assert found.reason == "too noisy to say: with 95 % confidence it lies somewhere between 10 and 100"


def test_one_that_fails_does_not_stop_the_others() -> None:
    def broken(warmup: int, runs: int) -> Sequence[Client]:
        raise StageFailed(f"the tool crashed after {warmup + runs}")

    found = sweep({Point("bad", 1, 1): broken, Point("good", 1, 1): at(0.01, 1)})
    assert found[Point("bad", 1, 1)]["throughput"].reason == "it could not be timed: the tool crashed after 2"
    assert found[Point("good", 1, 1)]["throughput"].value == pytest.approx(100)


def test_rounds_that_never_overlapped_give_no_figure() -> None:
    def in_turn(warmup: int, runs: int) -> Sequence[Client]:
        del warmup
        return [Client(1.0, [1.0 / runs] * runs), Client(2.0, [1.0 / runs] * runs)]

    found = sweep({Point("m", 2, 1): in_turn})[Point("m", 2, 1)]["throughput"]
    assert (found.value, found.reason) == (None, "the clients were hardly ever at work together")


@pytest.mark.parametrize("last", [1, 3])
def test_whoever_stops_the_run_stops_the_sweep(last: int) -> None:
    calls = 0

    def stopped(warmup: int, runs: int) -> Sequence[Client]:
        nonlocal calls
        calls += 1
        if calls >= last:
            raise Interrupted("terminated")
        return steady(warmup, runs)

    steady = at(0.01, 1)
    with pytest.raises(Interrupted):
        sweep({Point("m", 1, 1): stopped})
