"""The roofline of made-up machines, and the limits of this one."""

from __future__ import annotations

from typing import Any

import pytest

from dlpipe.contracts.figure import Figure
from dlpipe.measure.limits import limits_call
from dlpipe.measure.roofline import Limits, Work, intensity, share, work_of

# 10 GFLOP/s, 40 Gop/s, 1 GB/s.
LIMITS = Limits(1e10, "A", 4e10, "B", 1e9, "2026-11-27")


def test_arithmetic_bounds_what_multiplies_much() -> None:
    figure = share(Work(macs=50_000_000, integer_macs=0, moved=1_000_000), LIMITS, 20.0)
    assert figure.value == pytest.approx(0.5)  # 100 MFLOP at 10 GFLOP/s: 10 ms
    assert figure.provenance == "estimated"
    assert "bound by arithmetic" in (figure.reason or "")
    assert "in float32 at 10 GFLOP/s" in (figure.reason or "")


def test_memory_bounds_what_moves_much() -> None:
    figure = share(Work(macs=1_000_000, integer_macs=0, moved=8_000_000), LIMITS, 10.0)
    assert figure.value == pytest.approx(0.8)
    assert "bound by memory: 8 MB at 1.0 GB/s" in (figure.reason or "")


def test_each_multiplication_is_held_against_the_peak_of_its_type() -> None:
    figure = share(Work(macs=50_000_000, integer_macs=40_000_000, moved=1), LIMITS, 10.0)
    assert figure.value == pytest.approx((8e7 / 4e10 + 2e7 / 1e10) / 10e-3)
    assert "80 % of them 8-bit integers at 40 Gop/s, the others in float32" in (figure.reason or "")


def test_integers_are_never_slower_than_floats_could_be() -> None:
    slow = Limits(1e10, "A", 2e9, "B", 1e9, "today")
    assert share(Work(50_000_000, 50_000_000, 1), slow, 10.0).value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("work", "why"), [(Work(50_000_000, 0, 1), "Winograd"), (Work(1, 0, 8_000_000), "stayed in the caches")]
)
def test_more_than_the_limit_says_how_that_can_be(work: Work, why: str) -> None:
    figure = share(work, LIMITS, 1.0)
    assert isinstance(figure.value, float)
    assert figure.value > 1
    assert why in (figure.reason or "")


def test_intensity_is_operations_for_each_byte() -> None:
    assert intensity(Work(10, 0, 4)).value == 5


@pytest.mark.parametrize(
    ("described", "why"),
    [
        ({"macs": None, "macs_reason": "Einsum is not counted"}, "its work is not known: Einsum is not counted"),
        ({"macs": 0, "bytes_moved": 4, "integer_macs": 0}, "it multiplies nothing that is counted"),
        ({"macs": 7, "bytes_moved": None, "integer_macs": None}, "what its loops move is not counted"),
    ],
)
def test_work_that_is_not_known_says_why(described: dict[str, Any], why: str) -> None:
    assert work_of(described) == why


def test_a_backend_that_quantises_itself_has_integers_only() -> None:
    described = {"macs": 7, "bytes_moved": 4, "integer_macs": 0}
    assert work_of(described) == Work(7, 0, 4)
    assert work_of(described, all_integer=True) == Work(7, 7, 4)


def test_the_limits_of_this_machine(bench: Any) -> None:
    value, _ = bench.run(limits_call("this machine"))
    limits = Limits.read(value, "2026-11-27")
    assert {figure.provenance for figure in limits.figures().values()} == {"measured"}
    # Any machine that runs this does more than one operation a microsecond, and less than a thousand cores do.
    for number in (limits.f32, limits.int8, limits.bandwidth):
        assert 1e6 < number < 1e14
    assert isinstance(limits.figures()["peak_f32"], Figure)


@pytest.mark.parametrize(
    "value", [{}, {"f32": {"flops": 0, "by": "A"}, "int8": {"flops": 1, "by": "B"}, "bandwidth": 1}]
)
def test_what_are_no_limits_is_an_error(value: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError)):
        Limits.read(value, "today")
