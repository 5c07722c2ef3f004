from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlpipe.contracts.figure import Figure
from dlpipe.report import words
from dlpipe.report.charts import Datum, chart


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "ms", "12.3 µs"),
        (0.83, "ms", "0.830 ms"),
        (8400, "ms", "8.40 s"),
        (512, "bytes", "512 B"),
        (95_310, "bytes", "95.3 kB"),
        (2_656_768, "MAC", "2.66 M"),
        (0.9375, "fraction", "93.8 %"),
        (3.1, "x", "3.10×"),
        (2173.9, "1/s", "2.17 k/s"),
        (0.5, "points", "+0.50 pt"),
        (12.5, "mJ", "12.5 mJ"),
        (True, None, "yes"),
        ("qemu\x1b[31m", None, "qemu\ufffd[31m"),
        ("no kernel\nfor\tConv\u202e", None, "no kernel for Conv\ufffd"),
        (7, "clock edges", "7 clock edges"),  # a count has no places
        (4_774_510, "cycles", "4,774,510 cycles"),
        (7.25, "mJ", "7.25 mJ"),
    ],
)
def test_figures_read_with_their_unit(value: float | str | bool, unit: str | None, text: str) -> None:
    assert words.value(Figure(value=value, unit=unit, provenance="measured")) == text


def test_nothing_is_a_dash() -> None:
    assert words.value(None) == words.value(Figure.absent("why")) == words.fidelity(None) == words.NOTHING


@given(st.floats(-1e300, 1e300))
def test_three_digits_are_enough(value: float) -> None:
    text = words.significant(value).replace(",", "")
    assert float(text) == pytest.approx(value, rel=6e-3)


@given(st.text(), st.integers(3, 40))
def test_shortened_keeps_both_ends(text: str, length: int) -> None:
    short = words.shortened(text, length)
    assert len(short) == min(len(text), length)
    assert short.isprintable()


@given(st.lists(st.tuples(st.floats(-99, 99), st.floats(0, 50)), min_size=1, max_size=9))
def test_bars_and_whiskers_stay_on_the_scale(values: list[tuple[float, float]]) -> None:
    data = [Datum("x", value, (value - half, value + half), "", "", "flat") for value, half in values]
    found = chart(data, least=(-0.5, 1.0), mark=1.0)
    for bar in found.bars:
        assert 0 <= bar.start <= bar.start + bar.width <= 100.01
        assert bar.whisker is not None
        assert 0 <= bar.whisker[0] <= bar.whisker[1] <= 100
    assert 0 <= found.origin <= 100
