from __future__ import annotations

import numpy as np
import pytest

from dlpipe.passes.quantisation.static import ranges
from dlpipe.passes.quantisation.static.histogram import Histogram


def seen(values) -> Histogram:
    made = Histogram()
    made.add(np.asarray(values, np.float32))
    return made


def rounding(values, low, high) -> float:
    scale, zero = ranges.grid(low, high)
    rounded = (np.clip(np.rint(values / scale) + zero, 0, 255) - zero) * scale
    return float(((rounded - values) ** 2).sum())


NORMAL = np.random.default_rng(0).standard_normal(100_000)


@pytest.mark.parametrize("method", ranges.METHODS)
@pytest.mark.parametrize("values", [NORMAL, np.maximum(NORMAL, 0), -np.abs(NORMAL), NORMAL * 1e-6 + 1e-5, NORMAL * 1e6])
def test_a_range_holds_zero_and_most_of_the_values(method, values):
    low, high = ranges.choose(seen(values), method)
    assert min(values.min(), 0) * 1.0001 <= low <= 0 <= high <= max(values.max(), 0) * 1.0001
    assert low < high
    assert ((values < low) | (values > high)).mean() < 0.02
    assert 0 <= ranges.grid(low, high)[1] <= 255


@pytest.mark.parametrize("method", ranges.METHODS)
def test_symmetric(method):
    low, high = ranges.choose(seen(np.append(NORMAL, 9.0)), method, symmetric=True)
    assert -low == high > 2


@pytest.mark.parametrize("high", [0.1, 2.1646273, 2.4244, 1e-7, 3e4])
def test_the_zero_of_a_symmetric_range_is_that_of_signed_integers(high):
    assert ranges.grid(-high, high)[1] == 128


@pytest.mark.parametrize("method", ranges.METHODS)
@pytest.mark.parametrize("values", [[], [0.0, 0.0]])
def test_nothing_but_zeros(method, values):
    assert ranges.choose(seen(values), method) == (0.0, 0.0)
    assert ranges.grid(0.0, 0.0) == (1.0, 0)


@pytest.mark.parametrize("method", ranges.METHODS)
def test_a_single_value(method):
    low, high = ranges.choose(seen([3.0]), method)
    assert low == 0
    assert high == pytest.approx(3.0, rel=0.01)


def test_minmax_is_exact():
    assert ranges.choose(seen([-1.2345, 0.5, 6.7891]), "minmax") == pytest.approx((-1.2345, 6.7891), rel=1e-6)


def test_percentile_cuts_what_almost_never_occurs():
    low, high = ranges.choose(seen(np.append(np.abs(NORMAL), [500.0] * 3)), "percentile", percentile=99.99)
    assert low == 0
    assert 3.5 < high < 5
    assert ranges.choose(seen(np.append(NORMAL, 500.0)), "percentile", percentile=100.0)[1] == 500.0


@pytest.mark.parametrize("values", [np.append(NORMAL, [40.0, 50.0]), np.append(np.maximum(NORMAL, 0), 60.0)])
def test_mse_is_near_the_least_that_any_range_gives(values):
    low, high = ranges.choose(seen(values), "mse")
    tried = [(a * values.min(), b * values.max()) for a in np.linspace(0, 1, 26) for b in np.linspace(0.02, 1, 50)]
    least = min(rounding(values, *each) for each in tried)
    assert rounding(values, low, high) < 1.05 * least


def test_entropy_clips_a_far_outlier():
    _, high = ranges.choose(seen(np.append(np.abs(NORMAL), 12.0)), "entropy")
    assert 3 < high < 11.5


@pytest.mark.parametrize("tail", [6.0, 30.0])  # of Student's distribution: outliers, and hardly any
def test_counting_a_part_of_the_values_costs_little(tail):
    """A million, as calibration takes of large tensors, in place of nine times as many."""
    values = np.random.default_rng(3).standard_t(tail, size=(64, 131_072)).astype(np.float32)
    part = Histogram(every=9)
    for each in values:
        part.add(each)
    assert ranges.choose(part, "minmax") == (values.min(), values.max())
    assert ranges.choose(part, "percentile") == pytest.approx(ranges.choose(seen(values), "percentile"), rel=0.1)
    least = rounding(values, *ranges.choose(seen(values), "mse"))
    assert rounding(values, *ranges.choose(part, "mse")) <= 1.05 * least
