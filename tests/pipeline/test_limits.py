from __future__ import annotations

import pytest

from dlpipe.errors import UserError
from dlpipe.pipeline.limits import UserLimits, parse_duration


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_accuracy_drop", "0.5%", 0.5),
        ("max_accuracy_drop", "0.1", 0.1),
        ("max_latency", "10ms", 10.0),
        ("max_latency", "0.5 s", 500.0),
        ("max_size", "2MB", 2_000_000.0),
        ("max_size", "1MiB", 1_048_576.0),
        ("min_speedup", "1.2x", 1.2),
    ],
)
def test_units_are_understood(name: str, text: str, value: float) -> None:
    assert UserLimits.parse(**{name: text}).set_limits() == {name: value}


@pytest.mark.parametrize(("name", "text"), [("max_latency", "10"), ("max_size", "big"), ("max_accuracy_drop", "-1%")])
def test_a_limit_without_a_known_unit_is_refused(name: str, text: str) -> None:
    with pytest.raises(UserError, match=name.replace("_", "-")):
        UserLimits.parse(**{name: text})


@pytest.mark.parametrize(("text", "seconds"), [(None, None), ("90s", 90.0), ("10min", 600.0), ("1.5 h", 5400.0)])
def test_a_duration(text, seconds):
    assert parse_duration(text, "--tune") == seconds


@pytest.mark.parametrize("text", ["10", "0s", "ten minutes", "-5s", "5ms"])
def test_no_duration(text):
    with pytest.raises(UserError, match="--tune"):
        parse_duration(text, "--tune")
