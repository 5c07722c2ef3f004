"""Against values worked out by hand or published, and invariants that hold for all data."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlpipe.measure import statistics

counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
cells = st.tuples(st.integers(0, 400), st.integers(0, 400), st.integers(0, 4000))
times = st.lists(st.lists(st.floats(1e-7, 1e3), min_size=1, max_size=6), min_size=1, max_size=8)


def test_wilson_published() -> None:
    # Newcombe, Statistics in Medicine 1998, table I: 81/263 and 0/20.
    assert statistics.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert statistics.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(counts)
def test_wilson_holds_its_estimate_and_mirrors(pair: tuple[int, int]) -> None:
    k, n = pair
    low, high = statistics.wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    mirrored = statistics.wilson(n - k, n)
    assert (low, high) == pytest.approx((1 - mirrored[1], 1 - mirrored[0]), abs=1e-9)


@given(st.integers(1, 200))
def test_wilson_narrows_with_more_samples(n: int) -> None:
    def width(factor: int) -> float:
        low, high = statistics.wilson(n * factor, 2 * n * factor)
        return high - low

    assert width(10) < width(1)


def test_mcnemar_by_hand() -> None:
    assert statistics.mcnemar(0, 0) == 1.0
    assert statistics.mcnemar(5, 5) == 1.0
    assert statistics.mcnemar(6, 0) == pytest.approx(2 / 2**6)
    assert statistics.mcnemar(8, 2) == pytest.approx(2 * (1 + 10 + 45) / 2**10)


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_mcnemar_is_symmetric_and_a_probability(b: int, c: int) -> None:
    p = statistics.mcnemar(b, c)
    assert 0 <= p <= 1
    assert p == statistics.mcnemar(c, b)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_against_exact_integers(b: int, c: int) -> None:
    n = b + c
    exact = min(1.0, 2 * sum(math.comb(n, k) for k in range(min(b, c) + 1)) / 2**n)
    assert statistics.mcnemar(b, c) == pytest.approx(exact, rel=1e-9)


@given(cells)
def test_paired_difference_holds_its_estimate(cell: tuple[int, int, int]) -> None:
    b, c, agreeing = cell
    n = b + c + agreeing
    if n == 0:
        return
    low, high = statistics.paired_difference(b, c, n)
    assert -1 <= low <= (b - c) / n <= high <= 1
    assert statistics.paired_difference(c, b, n) == pytest.approx((-high, -low))


def test_samples_to_resolve() -> None:
    # z^2 r / d^2 = 3.8415 * 0.02 / 0.01^2, and the rule of three where nothing disagrees.
    assert statistics.samples_to_resolve(1, 0.02) == 769
    assert statistics.samples_to_resolve(1, 0.0) == 299
    assert statistics.samples_to_resolve(0.1, 0.01) == 38415


@given(st.floats(0.01, 50), st.floats(0, 1))
def test_a_finer_limit_needs_more_samples(limit: float, rate: float) -> None:
    assert statistics.samples_to_resolve(limit / 2, rate) >= statistics.samples_to_resolve(limit, rate) >= 1


@pytest.mark.parametrize("limit", [0, -1, 100, 200])
def test_a_limit_that_is_none_is_an_error(limit: float) -> None:
    with pytest.raises(ValueError, match="limit"):
        statistics.samples_to_resolve(limit, 0.1)


def test_percentiles_by_hand() -> None:
    assert statistics.percentile([4, 1, 3, 2], 50) == 2.5
    assert statistics.percentile([1, 2, 3, 4, 5], 95) == pytest.approx(4.8)
    assert statistics.percentile([7], 99) == 7


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.floats(0, 100))
def test_percentiles_stay_inside(values: list[float], q: float) -> None:
    assert min(values) <= statistics.percentile(values, q) <= max(values)


@given(times)
@settings(max_examples=40, deadline=None)
def test_identical_runs_have_the_ratio_one(rounds: list[list[float]]) -> None:
    assert statistics.ratio_of_medians(rounds, rounds, resamples=100) == (1.0, 1.0, 1.0)


@given(times, st.floats(0.01, 100), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_a_ratio_scales_lies_inside_and_repeats(rounds: list[list[float]], factor: float, seed: int) -> None:
    slower = [[value * factor for value in runs] for runs in rounds]
    found = statistics.ratio_of_medians(slower, rounds, seed=seed, resamples=100)
    assert found[0] == pytest.approx(factor)
    assert found[1] <= found[0] <= found[2]
    assert found == statistics.ratio_of_medians(slower, rounds, seed=seed, resamples=100)


def test_bootstrap_covers_the_true_ratio_about_as_often_as_it_says() -> None:
    import random

    generator = random.Random(7)
    hits = 0
    for seed in range(200):
        base = [[generator.lognormvariate(0.0, 0.2) for _ in range(5)] for _ in range(12)]
        other = [[generator.lognormvariate(-0.5, 0.2) for _ in range(5)] for _ in range(12)]
        _, low, high = statistics.ratio_of_medians(base, other, seed=seed, resamples=200)
        hits += low <= math.exp(0.5) <= high
    assert 175 <= hits <= 200


@pytest.mark.parametrize(("a", "b"), [([], []), ([[1.0]], [[1.0], [1.0]]), ([[]], [[1.0]]), ([[0.0]], [[1.0]])])
def test_a_ratio_of_what_is_no_timing_is_an_error(a: list[list[float]], b: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"rounds|positive"):
        statistics.ratio_of_medians(a, b)


def test_the_interval_of_a_median_covers_it_about_as_often_as_it_says() -> None:
    import random

    generator = random.Random(11)
    hits = 0
    for seed in range(200):
        rounds = [[generator.lognormvariate(0.0, 0.2) for _ in range(5)] for _ in range(12)]
        median, low, high = statistics.median_interval(rounds, seed=seed, resamples=200)
        assert low <= median <= high
        hits += low <= 1.0 <= high
    assert 175 <= hits <= 200


@pytest.mark.parametrize("rounds", [[], [[1.0], []]])
def test_a_median_of_nothing_is_an_error(rounds: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="round"):
        statistics.median_interval(rounds)


def test_noise_measures() -> None:
    assert statistics.coefficient_of_variation([2.0, 2.0, 2.0]) == 0
    assert statistics.coefficient_of_variation([1.0, 3.0]) == pytest.approx(math.sqrt(2) / 2)
    assert statistics.coefficient_of_variation([5.0]) == 0
    assert statistics.spread([1.0] * 9 + [100.0]) == 0
    assert statistics.spread([1, 2, 3, 4, 5]) == pytest.approx(2 / 3)
