"""Which candidate keeps the limits, gains something, and is the best."""

from __future__ import annotations

from typing import Any

import pytest

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Accuracy, Fidelity, Speedup
from dlpipe.pipeline.compress import judge
from dlpipe.pipeline.limits import UserLimits
from dlpipe.report.compression import Figures, Tried


def figures(
    drop: float | None = 0.0,
    *,
    size: int = 100,
    speedup: tuple[float, float, float] | None = (2.0, 1.9, 2.1),
    latency: float | None = 1.0,
    agrees: bool = True,
    high: float | None = None,
) -> Figures:
    accuracy = None
    if drop is not None:
        interval = (drop - 0.2, high if high is not None else drop + 0.2)
        accuracy = Accuracy(metric="top-1", value=0.9, ci95=(0.88, 0.92), n=1000, drop=drop, drop_ci95=interval)
    cost = {"size": Figure(value=size, unit="bytes", provenance="measured")}
    if latency is not None:
        cost["latency_p50"] = Figure(value=latency, unit="ms", provenance="measured")
    said: dict[str, Any] = {"speedup_reason": "emulated"}
    if speedup is not None:
        value, low, top = speedup
        said = {"speedup": Speedup(baseline="reference-runtime", value=value, ci95=(low, top), provenance="measured")}
    fidelity = Fidelity(
        vs="original", max_abs=0, max_rel=0, cosine=0.99, sqnr_db=20, passed=agrees, reason=None if agrees else "wrong"
    )
    return Figures(
        accuracy=accuracy,
        accuracy_reason=None if accuracy else "no labels",
        fidelity=fidelity,
        cost=cost,
        **said,
    )


BASE = figures(size=200, speedup=None)


@pytest.mark.parametrize(
    ("found", "limits", "says"),
    [
        (figures(0.4), {}, None),
        (figures(0.6), {}, "top-1 drop 0.60 pt, limit 0.50 pt"),
        (figures(0.6), {"max_accuracy_drop": "1%"}, None),
        (figures(None), {}, None),
        (figures(None, agrees=False), {}, "depart from the original: wrong"),
        (figures(None), {"max_accuracy_drop": "1%"}, "cannot be told: no labels"),
        (figures(size=100), {"max_size": "99B"}, "max-size"),
        (figures(latency=2.0), {"max_latency": "1ms"}, "max-latency"),
        (figures(latency=None), {"max_latency": "1ms"}, "cannot be told"),
        (figures(speedup=(1.4, 1.3, 1.5)), {"min_speedup": "1.5"}, "min-speedup"),
        (figures(speedup=None), {"min_speedup": "1.5"}, "min-speedup cannot be told: emulated"),
        (figures(), {"max_memory": "1MB"}, "max-memory cannot be told"),
    ],
)
def test_a_limit_that_is_broken_or_cannot_be_told_is_named(
    found: Figures, limits: dict[str, str], says: str | None
) -> None:
    why = judge.broken(found, UserLimits.parse(**limits), None)
    assert (why is None) if says is None else (why is not None and says in why)


def test_with_confidence_the_bad_end_of_the_interval_decides() -> None:
    found = figures(0.1, high=0.7)
    assert judge.broken(found, UserLimits(), None) is None
    assert "0.70 pt" in (judge.broken(found, UserLimits(), 0.95) or "")
    faster, limits = figures(speedup=(1.4, 1.2, 1.6)), UserLimits.parse(min_speedup="1.3")
    assert judge.broken(faster, limits, None) is None
    assert "min-speedup" in (judge.broken(faster, limits, 0.95) or "")


def test_a_speed_up_counts_where_its_interval_excludes_1() -> None:
    assert judge.no_gain(figures(speedup=(1.2, 1.01, 1.4)), BASE, "latency") is None
    assert "not faster" in (judge.no_gain(figures(speedup=(1.2, 0.99, 1.4)), BASE, "latency") or "")
    assert "not faster" in (judge.no_gain(figures(speedup=(0.5, 0.4, 0.6)), BASE, "latency") or "")
    assert "no speed-up is known" in (judge.no_gain(figures(speedup=None), BASE, "latency") or "")


def test_for_size_only_fewer_bytes_count() -> None:
    assert judge.no_gain(figures(size=199, speedup=None), BASE, "size") is None
    assert "not smaller" in (judge.no_gain(figures(size=200), BASE, "size") or "")


def tried(number: int, found: Figures, verdict: Any = "meets") -> Tried:
    return Tried(number=number, recipe=f"r{number}", figures=found, verdict=verdict)


def test_what_nothing_beats_in_both_is_on_the_pareto_front() -> None:
    every = [
        tried(1, figures(0.4, size=50)),
        tried(2, figures(0.1, size=90)),
        tried(3, figures(0.9, size=10), "breaks"),
        tried(4, figures(0.5, size=60)),
        tried(5, Figures(), "failed"),
    ]
    assert [each.number for each in judge.marked(every, BASE, "size") if each.pareto] == [1, 2, 3]
    assert [each.number for each in judge.marked(every, figures(0.0, size=40), "size") if each.pareto] == [3]
