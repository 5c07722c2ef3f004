"""What fits into a budget, by a clock that is set by hand."""

from __future__ import annotations

from dlpipe.pipeline.compress.spending import Spending


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_try_is_expected_to_take_as_long_as_the_longest_of_its_kind_else_the_average() -> None:
    spending = Spending(100.0, Clock())
    assert spending.expected("int8") == 0
    for kind, seconds in (("int8", 5.0), ("int8", 9.0), ("int4", 1.0)):
        spending.took(kind, seconds)
    assert spending.expected("int8") == 9
    assert spending.expected("fp16") == 5
    assert spending.expected("int4", "fp16") == 6


def test_what_would_end_too_late_does_not_fit() -> None:
    clock = Clock()
    spending = Spending(60.0, clock)
    spending.took("int8", 20.0)
    clock.now += 40.0
    assert spending.fits("int8")
    assert not spending.fits("int8", reserve=0.25)
    clock.now += 0.5
    assert not spending.fits("int8")
    assert spending.left() == 19.5


def test_nothing_fits_when_the_time_is_up() -> None:
    clock = Clock()
    spending = Spending(60.0, clock)
    assert spending.fits("int8")
    clock.now += 61.0
    assert not spending.fits("int8")
