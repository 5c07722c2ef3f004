"""The fidelity operation on crafted outputs: every figure by hand, and everything that must not pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.measurement import Fidelity
from dlpipe.measure import fidelity_call
from dlpipe.measure.tolerances import BOUNDED

Compare = Callable[..., Fidelity]


@pytest.fixture
def compare(serve: Any, outputs: Any) -> Compare:
    def run(
        reference: dict[str, Any], candidate: dict[str, Any], variant: str = "fp32", resolution: Any = None
    ) -> Fidelity:
        folders = {"reference": outputs("reference", **reference), "candidate": outputs("candidate", **candidate)}
        event = serve(fidelity_call(variant, resolution), **folders)
        return Fidelity.model_validate({"vs": "original", **event["value"]})

    return run


def test_figures_by_hand(compare: Compare) -> None:
    reference = np.array([[0.0, 3.0], [4.0, 0.0]], np.float32)
    candidate = np.array([[0.0, 3.0], [4.5, 0.0]], np.float32)
    found = compare({"y": reference}, {"y": candidate}).outputs["y"]
    assert found.max_abs == 0.5
    assert found.scale == 4.0
    assert found.max_rel == 0.125
    assert found.worst_sample == 1
    assert found.cosine == pytest.approx((9 + 18) / (5 * math.sqrt(9 + 4.5**2)))
    assert found.cosine_min == pytest.approx(1.0)
    assert found.sqnr_db == pytest.approx(10 * math.log10(25 / 0.25))
    assert found.argmax_agreement == 1.0
    assert found.passed is False
    assert found.reason == "max_rel 0.125 breaks its limit 0.0001"


def test_identical_outputs_pass_and_say_why_there_is_no_sqnr(compare: Compare) -> None:
    y = np.random.default_rng(0).normal(size=(5, 1, 12)).astype(np.float32)
    found = compare({"y": y}, {"y": y})
    assert found.passed is True
    assert (found.max_abs, found.argmax_agreement, found.samples) == (0.0, 1.0, 5)
    assert found.cosine == pytest.approx(1.0)
    assert found.sqnr_db is None
    assert "identical" in (found.reason or "")
    assert found.tolerance == 1e-4
    assert "fp32 keeps 24 bits" in (found.tolerance_reason or "")


def test_texts_are_the_same_or_not(compare: Compare) -> None:
    """Arrays of texts are as wide as the longest, which is no other type."""
    y = np.array(["no", "yes", "no"])
    found = compare({"same": y, "other": y}, {"same": y, "other": np.array(["no", "never", "no"])})
    assert found.outputs["same"].passed is True
    assert found.outputs["other"].passed is found.passed is False
    assert "argmax_agreement 0.6667 breaks its limit" in (found.reason or "")


def test_rounding_noise_passes_fp32_and_is_measured(compare: Compare) -> None:
    y = np.random.default_rng(0).normal(size=(50, 1, 12)).astype(np.float32)
    found = compare({"y": y}, {"y": y * np.float32(1 + 1e-6)})
    assert found.passed is True
    assert found.sqnr_db == pytest.approx(120, abs=2)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_fails_unless_the_original_has_it_too(compare: Compare, value: float) -> None:
    y = np.arange(12, dtype=np.float32).reshape(3, 1, 4)
    broken = y.copy()
    broken[1, 0, 2] = value
    found = compare({"y": y}, {"y": broken})
    assert found.passed is False
    assert found.outputs["y"].nan + found.outputs["y"].inf == 1
    assert "that the reference does not have" in (found.reason or "") or "infinities" in (found.reason or "")


def test_nan_of_the_original_is_left_out(compare: Compare) -> None:
    y = np.arange(12, dtype=np.float32).reshape(3, 1, 4)
    y[1, 0, 2] = np.nan
    found = compare({"y": y}, {"y": y})
    assert found.passed is True
    assert found.max_abs == 0.0


def test_nan_everywhere_decides_nothing(compare: Compare) -> None:
    y = np.full((3, 4), np.nan, np.float32)
    found = compare({"y": y}, {"y": y})
    assert found.passed is None
    assert "no number to compare, all are NaN or infinite: give data" in (found.reason or "")


def test_constant_outputs_have_a_scale(compare: Compare) -> None:
    seven, zero = np.full((4, 3), 7.0, np.float32), np.zeros((4, 3), np.float32)
    found = compare({"seven": seven, "zero": zero}, {"seven": seven + np.float32(0.07), "zero": zero})
    assert found.outputs["seven"].scale == 7.0
    assert found.outputs["seven"].max_rel == pytest.approx(0.01, rel=1e-4)
    assert found.outputs["zero"].scale == 1.0
    assert found.outputs["zero"].cosine == 1.0
    assert found.outputs["zero"].passed is True
    assert found.passed is False


ZERO, TELLING = np.zeros((4, 3), np.float32), np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.mark.parametrize(
    ("reference", "passed"),
    [
        ({"y": ZERO}, None),
        ({"y": ZERO + 1, "z": ZERO}, None),
        ({"y": ZERO, "z": TELLING}, True),  # one that tells is enough
        ({"y": np.full((1, 1), 3, np.float32)}, True),  # the only number there is
        ({"y": np.zeros((1, 1), np.float32)}, None),
        ({"y": np.zeros((4, 1), np.int64)}, True),  # labels
    ],
)
def test_an_original_that_answers_the_same_to_everything_proves_nothing(
    compare: Compare, reference: dict[str, Any], passed: bool | None
) -> None:
    found = compare(reference, reference)
    assert found.passed is passed
    assert ("in every place of all" in (found.reason or "")) is (passed is None)


def test_a_zero_has_no_sign_for_the_reader(compare: Compare) -> None:
    assert "the reference is 0 in every place" in (compare({"y": -ZERO}, {"y": -ZERO}).reason or "")


def test_what_departs_from_the_same_everywhere_is_wrong(compare: Compare) -> None:
    assert compare({"y": ZERO}, {"y": ZERO + 1}).passed is False


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        ({"y": np.zeros((3, 5), np.float32)}, "shape is [3, 5], the reference's is [3, 4]"),
        ({"y": np.zeros((2, 4), np.float32)}, "shape is [2, 4], the reference's is [3, 4]"),
        ({"y": np.zeros((3, 4), np.float16)}, "dtype is float16, the reference's is float32"),
        ({"z": np.zeros((3, 4), np.float32)}, "the candidate does not have this output"),
        ({"y": np.zeros((3, 4), np.float32), "z": np.zeros(3)}, "the reference does not have this output"),
    ],
)
def test_another_signature_fails_with_the_reason(compare: Compare, candidate: dict[str, Any], reason: str) -> None:
    found = compare({"y": np.zeros((3, 4), np.float32)}, candidate)
    assert found.passed is False
    assert reason in (found.reason or "")


def test_no_samples_decide_nothing(compare: Compare) -> None:
    found = compare({"y": np.zeros((0, 4), np.float32)}, {"y": np.zeros((0, 4), np.float32)})
    assert found.passed is None
    assert found.samples == 0


def test_int8_is_judged_by_direction(compare: Compare) -> None:
    y = np.random.default_rng(1).normal(size=(40, 12)).astype(np.float32)
    near = y + np.random.default_rng(2).normal(scale=0.05, size=y.shape).astype(np.float32)
    found = compare({"y": y}, {"y": near}, "int8-per-channel")
    assert found.passed is True
    assert found.tolerance is None
    assert found.min_cosine == 0.98


def test_int8_that_lost_direction_fails(compare: Compare) -> None:
    y = np.random.default_rng(1).normal(size=(40, 12)).astype(np.float32)
    found = compare({"y": y}, {"y": y[::-1]}, "int8")
    assert found.passed is False
    assert "cosine" in (found.reason or "")


def test_integer_outputs_must_agree(compare: Compare) -> None:
    y = np.arange(10)
    other = y.copy()
    other[3] = 8
    found = compare({"y": y}, {"y": other})
    assert found.outputs["y"].argmax_agreement == 0.9
    assert found.passed is False


@pytest.mark.parametrize(
    ("off", "resolution", "passed"),
    [(3, {"step": 1.0}, True), (4, {"step": 1.0}, False), (1, None, False), (40, {"agreement": 0.9}, True)],
)
def test_what_a_quantised_original_resolves(compare: Compare, off: int, resolution: Any, passed: bool) -> None:
    y = np.arange(200, dtype=np.uint8).reshape(2, 100)
    other = y.copy()
    other[1, 7] -= off
    assert compare({"y": y}, {"y": other}, resolution={"y": resolution} if resolution else None).passed is passed


@pytest.mark.parametrize(("off", "passed"), [(0.04, True), (0.06, False), (math.nan, False)])
def test_a_share_of_the_range_and_never_a_nan(compare: Compare, off: float, passed: bool) -> None:
    y = np.linspace(0, 10, 100, dtype=np.float32)[None]
    assert compare({"y": y}, {"y": y + np.float32(off)}, resolution={"y": {"range": 5e-3}}).passed is passed


def test_fortran_order_and_many_chunks(compare: Compare) -> None:
    y = np.random.default_rng(3).normal(size=(700, 9000))  # 50 MB: six chunks
    other = y.copy()
    other[650, 77] += 1
    found = compare({"y": np.asfortranarray(y), "z": y}, {"y": y, "z": other})
    assert found.outputs["y"].passed is True
    assert found.outputs["z"].worst_sample == 650
    assert found.outputs["z"].max_abs == pytest.approx(1.0)


def test_numbers_too_large_to_square_are_said_not_hidden(compare: Compare) -> None:
    y = np.array([[1e300, -1e300]])
    found = compare({"y": y}, {"y": y * 0.5})
    assert found.passed is False
    assert "overflows" in (found.reason or "")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_refused(serve: Any, outputs: Any, content: bytes) -> None:
    good: Path = outputs("good", y=np.zeros((2, 2)))
    bad: Path = outputs("bad", y=np.zeros((2, 2)))
    (bad / "outputs.npz").write_bytes(content)
    event = serve(fidelity_call("fp32"), reference=good, candidate=bad)
    assert event["event"] == "failed"
    assert event["kind"] == "bad-model"
    assert "is not an .npz file" in event["message"]


def test_a_pickle_is_refused(serve: Any, outputs: Any) -> None:
    good: Path = outputs("good", y=np.zeros((2, 2)))
    bad: Path = outputs("bad", y=np.array([{"a": 1}], dtype=object))
    event = serve(fidelity_call("fp32"), reference=good, candidate=bad)
    assert event["event"] == "failed"
    assert "not an array of samples" in event["message"]


def test_an_unknown_precision_has_no_guessed_tolerance() -> None:
    with pytest.raises(KeyError):
        fidelity_call("int3")


def test_a_bounded_output_is_good_to_a_step_of_one(serve: Any, outputs: Any) -> None:
    y = np.linspace(1e-6, 2e-5, 64, dtype=np.float32)[None]  # a sigmoid's, far from 1
    reference, near, far = (outputs(name, y=y + np.float32(off)) for name, off in (("r", 0), ("n", 2e-7), ("f", 1e-5)))
    for candidate, passed in ((near, True), (far, False)):
        call = fidelity_call("fp32", {"y": BOUNDED})
        assert serve(call, reference=reference, candidate=candidate)["value"]["passed"] is passed
    assert serve(fidelity_call("fp32"), reference=reference, candidate=near)["value"]["passed"] is False


def test_numbers_where_the_reference_has_nan_leave_the_verdict_open(compare: Compare) -> None:
    y = np.linspace(0, 1, 8, dtype=np.float32)[None]
    reference = y.copy()
    reference[0, 3] = np.nan
    found = compare({"y": reference}, {"y": y})
    assert found.passed is None
    assert "1 NaN that are numbers here" in (found.reason or "")
