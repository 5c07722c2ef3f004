"""Interleaving with clocks of the test's own: what is called in which order, and what is said of the times."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

import pytest

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Speedup
from dlpipe.errors import Interrupted, StageFailed
from dlpipe.measure.timing import interleave, rotated


class Model:
    """A timer whose runs take `seconds`, with relative noise."""

    def __init__(self, name: str, seconds: float, log: list[str], noise: float = 0.02, fail_at: int = -1) -> None:
        self.name, self.seconds, self.log, self.noise, self.fail_at = name, seconds, log, noise, fail_at
        self.random = random.Random(name)
        self.calls = 0

    def __call__(self, warmup: int, runs: int) -> Mapping[str, Any]:
        self.calls, self.warmup = self.calls + 1, warmup
        self.log.append(self.name)
        if self.calls == self.fail_at:
            raise StageFailed("the tool crashed")
        drawn = [self.seconds * self.random.lognormvariate(0, self.noise) for _ in range(runs)]
        return {"seconds": drawn, "load_seconds": 0.2, "first_seconds": 0.1, "peak_rss": 1 << 20}


def figures(value: Mapping[str, Any]) -> dict[str, Figure]:
    return {key: Figure.model_validate(figure) for key, figure in value["cost"].items()}


def test_speedups_against_both_baselines() -> None:
    log: list[str] = []
    timers = {name: Model(name, s, log) for name, s in (("original", 4e-3), ("reference-runtime", 2e-3), ("x", 1e-3))}
    found = interleave(timers)
    json.dumps(found, allow_nan=False)
    ratios = {each["baseline"]: Speedup.model_validate(each) for each in found["x"]["speedups"]}
    assert ratios["original"].value == pytest.approx(4, rel=0.05)
    assert ratios["reference-runtime"].value == pytest.approx(2, rel=0.05)
    assert ratios["original"].ci95 is not None
    assert ratios["original"].ci95[0] <= 4.2
    assert [each["baseline"] for each in found["original"]["speedups"]] == ["reference-runtime"]
    cost = figures(found["x"])
    assert cost["latency_p50"].value == pytest.approx(1.0, rel=0.05)
    low, high = cost["latency_p50"].ci95 or (0, 0)
    assert 0.95 < low <= cost["latency_p50"].value <= high < 1.05
    assert cost["throughput"].value == pytest.approx(1000, rel=0.05)
    assert cost["throughput"].ci95 == pytest.approx((1e3 / high, 1e3 / low))
    assert 0.01 < cost["latency_cv"].value < 0.03  # drawn with 2 %
    assert cost["load"].value == 200
    assert cost["peak_memory"].value == 1 << 20
    assert cost["latency_p99"].provenance == "measured"


def test_a_baseline_may_be_a_candidate_of_any_name() -> None:
    log: list[str] = []
    timers = {"digest": Model("digest", 2e-3, log), "x": Model("x", 1e-3, log)}
    found = interleave(timers, baselines={"original": "absent", "reference-runtime": "digest"})
    assert [each["baseline"] for each in found["x"]["speedups"]] == ["reference-runtime"]
    assert found["digest"]["speedups"] == []


def test_everyone_gets_every_place_in_the_order() -> None:
    log: list[str] = []
    interleave({name: Model(name, 1e-3, log) for name in "abc"}, rounds=6)
    orders = [tuple(log[3 + 3 * number : 6 + 3 * number]) for number in range(6)]
    assert len(set(orders)) == 6
    for place in range(3):
        assert sorted(order[place] for order in orders) == sorted("aabbcc")
    assert rotated([], 3) == []


def test_a_slow_model_is_run_less_often() -> None:
    log: list[str] = []
    found = interleave({"slow": Model("slow", 2.0, log), "fast": Model("fast", 1e-5, log)}, seconds_each=5)
    assert (found["slow"]["runs"], found["fast"]["runs"]) == (10, 500)
    assert figures(found["slow"])["latency_p99"].reason == "10 runs do not show a 99th percentile (100 would)"


def test_noise_is_said_not_raised() -> None:
    log: list[str] = []
    timers = {name: Model(name, 1e-3, log, noise=1.5) for name in ("original", "x")}
    found = interleave(timers, rounds=4, seconds_each=0.02)
    assert "too noisy to say" in found["x"]["noise"]
    assert "too noisy to say" in (figures(found["x"])["latency_p50"].reason or "")
    assert "too noisy to say" in (figures(found["x"])["latency_cv"].reason or "")
    speedup = Speedup.model_validate(found["x"]["speedups"][0])
    assert speedup.noisy
    assert "too noisy" in (speedup.reason or "")


def test_equal_models_show_no_difference() -> None:
    log: list[str] = []
    found = interleave({"original": Model("original", 1e-3, log, noise=0), "x": Model("x", 1e-3, log, noise=0)})
    assert found["x"]["speedups"][0]["reason"] == "no difference: the 95 % interval contains 1"


@pytest.mark.parametrize("fail_at", [1, 4])
def test_one_that_fails_does_not_stop_the_others(fail_at: int) -> None:
    log: list[str] = []
    found = interleave({"original": Model("original", 1e-3, log, fail_at=fail_at), "x": Model("x", 1e-3, log)})
    assert found["original"]["error"] == "the tool crashed"
    assert figures(found["original"])["latency_p50"].provenance == "absent"
    assert found["x"]["speedups"] == []
    assert found["x"]["runs"] == 500


def test_a_clock_that_stands_still_gives_no_ratio() -> None:
    log: list[str] = []
    found = interleave({"original": Model("original", 0.0, log), "x": Model("x", 0.0, log)}, rounds=2)
    assert Speedup.model_validate(found["x"]["speedups"][0]).provenance == "absent"
    assert "throughput" not in found["x"]["cost"]


def test_progress_is_reported() -> None:
    log: list[str] = []
    said: list[tuple[str, float | None]] = []
    interleave(
        {"a": Model("a", 1e-3, log)}, rounds=2, on_progress=lambda message, fraction: said.append((message, fraction))
    )
    assert said[-1] == ("timing a, round 2 of 2", 0.5)


@pytest.mark.parametrize("at", [1, 3])
def test_whoever_stops_the_run_stops_the_timing(at: int) -> None:
    """The signal comes while one of them runs, in the warm-up or in a round: it is no failure of that one."""
    log: list[str] = []

    def stopped(warmup: int, runs: int) -> Mapping[str, Any]:
        if len(log) >= at:
            raise Interrupted("terminated")
        return Model("a", 1e-3, log)(warmup, runs)

    with pytest.raises(Interrupted):
        interleave({"a": stopped})
