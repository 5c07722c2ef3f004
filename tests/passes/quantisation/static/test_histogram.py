from __future__ import annotations

import numpy as np
import pytest

from dlpipe.passes.quantisation.static.histogram import Histogram


def seen(*arrays, every: int = 1) -> Histogram:
    made = Histogram(every)
    for array in arrays:
        made.add(np.asarray(array, np.float32))
    return made


def test_range_and_counts():
    values = np.concatenate([np.random.default_rng(0).standard_normal(10_000), np.zeros(50), [-7.0, 9.0]])
    found = seen(values)
    assert (found.low, found.high, found.seen) == (-7.0, 9.0, 10_052)
    low, high, counts = found.bins()
    assert counts.sum() == 10_052
    assert np.all(low <= high)
    assert np.all(np.diff(low) > 0)
    assert (low[0], high[-1]) == (-7.0, 9.0)
    assert counts[(low == 0) & (high == 0)] == 50
    for first, last in ((-1.0, 0.5), (2.0, 9.0)):
        inside = counts[(low >= first) & (high <= last)].sum()
        assert inside == pytest.approx(((values >= first) & (values <= last)).sum(), rel=0.02)


def test_bins_are_narrow():
    low, high, _ = seen(np.linspace(-100, 100, 100_001)).bins()
    widest = np.maximum(np.abs(low), np.abs(high)) / 128
    assert np.all(high - low <= widest)


def test_neither_order_nor_batches_matter():
    values = np.random.default_rng(1).standard_normal((64, 37)).astype(np.float32) * np.logspace(-3, 3, 37)
    whole = seen(values).bins()
    for other in (seen(*values), seen(*values[::-1]), Histogram.of([seen(values[:9]), seen(values[9:])])):
        assert all(np.array_equal(a, b) for a, b in zip(whole, other.bins(), strict=True))


def test_each_nth_value_is_counted_and_the_range_is_that_of_all():
    values = np.random.default_rng(2).standard_normal((20, 5001)).astype(np.float32)
    values[3, 4], values[11, 77] = 50, -60
    found, whole = seen(values, every=7), seen(values)
    assert (found.low, found.high) == (-60, 50)
    assert found.bins()[2].sum() == -(-values.size // 7)
    assert all(np.array_equal(a, b) for a, b in zip(found.bins(), seen(*values, every=7).bins(), strict=True))
    for each in (found, whole):
        low, high, counts = each.bins()
        assert counts[(low >= -1) & (high <= 1)].sum() / counts.sum() == pytest.approx(0.68, abs=0.015)


def test_of_what_is_never_negative_the_least_value_is_not_asked_for():
    values = np.random.default_rng(4).exponential(size=(5, 30_000)).astype(np.float32)
    made = Histogram(never_negative=True)
    for each in values:
        made.add(each)
    assert (made.low, made.high, made.seen) == (0.0, values.max(), values.size)
    assert np.array_equal(made.counts(), seen(values).counts())


@pytest.mark.parametrize("every", [1, 7])
@pytest.mark.parametrize("sizes", [[3], [20_000], [16_384, 1], [5, 70_000, 16_383, 2, 9]])
def test_whatever_the_sizes_of_the_arrays(every, sizes):
    values = np.random.default_rng(5).standard_normal(sum(sizes)).astype(np.float32)
    found = seen(*np.split(values, np.cumsum(sizes)[:-1]), every=every)
    assert (found.low, found.high, found.seen) == (values.min(), values.max(), values.size)
    wanted = np.bincount(values[::every].view(np.uint32) >> 16, minlength=1 << 16)
    assert np.array_equal(found.counts(), wanted)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_remembered(bad):
    assert seen([1.0, 2.0]).is_finite
    assert not seen([1.0, bad], [3.0]).is_finite
    assert not seen([1.0], [3.0, bad]).is_finite


def test_nothing_seen():
    found = seen(np.zeros((0, 3)))
    assert found.is_finite
    assert found.bins()[2].size == 0
