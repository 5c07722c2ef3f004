"""The best first: the fastest, of what is as fast the nearest to the original."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Accuracy, Fidelity, Speedup
from dlpipe.pipeline.compress.ranking import in_order
from dlpipe.report.compression import Figures, Tried


def tried(
    number: int,
    speedup: float = 2.0,
    drop: float | None = 0.0,
    *,
    within: float = 0.1,
    loss_within: float = 0.2,
    sqnr: float = 20.0,
    size: int = 100,
    verdict: Any = "meets",
) -> Tried:
    """within: half of the interval of the speed-up; loss_within: of that of the loss."""
    accuracy = None
    if drop is not None:
        ends = (drop - loss_within, drop + loss_within)
        accuracy = Accuracy(metric="top-1", value=0.9, ci95=(0.88, 0.92), n=1000, drop=drop, drop_ci95=ends)
    interval = (speedup - within, speedup + within)
    figures = Figures(
        accuracy=accuracy,
        accuracy_reason=None if accuracy else "no labels",
        fidelity=Fidelity(vs="original", max_abs=0, max_rel=0, cosine=0.99, sqnr_db=sqnr, passed=True),
        cost={"size": Figure(value=size, unit="bytes", provenance="measured")},
        speedup=Speedup(baseline="reference-runtime", value=speedup, ci95=interval, provenance="measured"),
    )
    return Tried(number=number, recipe=f"r{number}", figures=figures, verdict=verdict)


def numbers(every: list[Tried], goal: Any = "latency") -> list[int]:
    return [each.number for each in in_order(every, goal)]


def test_the_fastest_or_the_smallest_of_those_that_meet_all_is_the_best() -> None:
    every = [
        tried(1, 1.5, 0.4, size=50),
        tried(2, 3.0, 0.1, size=90),
        tried(3, 9.0, 0.9, size=10, verdict="breaks"),
        tried(4, 3.0, 0.0, size=90),
    ]
    assert numbers(every) == [4, 2, 1]
    assert numbers(every, "size") == [1, 4, 2]
    assert numbers([tried(1, verdict="no-gain")], "size") == []


def test_of_those_as_fast_the_nearest_to_the_original_is_the_best() -> None:
    every = [tried(1, 2.00, sqnr=18.0), tried(2, 1.95, sqnr=30.0), tried(3, 1.80, sqnr=60.0)]
    assert numbers(every) == [2, 1, 3]  # the third is slower beyond doubt
    assert numbers([tried(1, 2.00, None, sqnr=18.0), tried(2, 1.95, None, sqnr=30.0)]) == [2, 1]


def test_what_may_be_as_fast_and_looks_much_slower_is_not_taken_for_as_fast() -> None:
    assert numbers([tried(1, 2.00, sqnr=18.0, within=0.8), tried(2, 1.80, sqnr=30.0)]) == [1, 2]
    assert numbers([tried(1, 2.00, sqnr=18.0, within=0.8), tried(2, 1.92, sqnr=30.0)]) == [2, 1]


def test_a_loss_that_is_less_beyond_doubt_goes_before_nearness() -> None:
    assert numbers([tried(1, drop=0.3, sqnr=30.0), tried(2, drop=-0.3, sqnr=18.0)]) == [2, 1]
    assert numbers([tried(1, drop=0.1, sqnr=30.0), tried(2, drop=-0.1, sqnr=18.0)]) == [1, 2]


@given(
    st.lists(
        st.tuples(st.floats(0.5, 4), st.floats(-1, 1), st.floats(0, 0.5), st.floats(0, 1), st.floats(0, 60)),
        max_size=12,
    )
)
def test_each_that_meets_all_has_one_place_and_none_before_it_is_slower_beyond_doubt(rows: list[Any]) -> None:
    every = [
        tried(number, speedup, drop, within=within, loss_within=loss_within, sqnr=sqnr)
        for number, (speedup, drop, within, loss_within, sqnr) in enumerate(rows, 1)
    ]
    ordered = in_order(every, "latency")
    assert sorted(each.number for each in ordered) == [each.number for each in every]
    for place, first in enumerate(ordered):
        fastest = max(ordered[place:], key=lambda each: each.figures.speedup.value or 0)  # type: ignore[union-attr]
        assert first.figures.speedup is not None
        assert fastest.figures.speedup is not None
        assert fastest.figures.speedup.ci95 is not None
        assert (first.figures.speedup.value or 0) >= fastest.figures.speedup.ci95[0]
