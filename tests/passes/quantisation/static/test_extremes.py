from __future__ import annotations

import numpy as np
import pytest

from dlpipe.passes.quantisation.static import ranges
from dlpipe.passes.quantisation.static.extremes import Extremes, MeanExtremes
from dlpipe.passes.quantisation.static.histogram import Histogram

VALUES = np.random.default_rng(6).standard_normal((9, 4, 21)).astype(np.float32) * np.linspace(1, 5, 9)[:, None, None]


def seen(kept, arrays, **known):
    made = kept(**known)
    for array in arrays:
        made.add(np.asarray(array, np.float32))
    return made


@pytest.mark.parametrize("sizes", [[3], [20_000], [16_384, 1], [5, 70_000, 16_383, 2, 9]])
def test_the_ends_of_all_values(sizes):
    values = np.random.default_rng(5).standard_normal(sum(sizes)).astype(np.float32)
    found = seen(Extremes, np.split(values, np.cumsum(sizes)[:-1]))
    assert (found.low, found.high, found.seen) == (values.min(), values.max(), values.size)


def test_the_mean_of_the_samples_ends():
    found = seen(MeanExtremes, VALUES)
    assert found.low == pytest.approx(VALUES.min(axis=(1, 2)).mean(), rel=1e-6)
    assert found.high == pytest.approx(VALUES.max(axis=(1, 2)).mean(), rel=1e-6)
    assert found.seen == VALUES.size
    assert ranges.choose(found, "mean") == (found.low, found.high)
    assert VALUES.min() < found.low < 0 < found.high < VALUES.max()


@pytest.mark.parametrize("kept", [Extremes, MeanExtremes])
def test_what_is_never_negative_begins_at_zero(kept):
    found = seen(kept, np.abs(VALUES) + 1, never_negative=True)
    assert found.low == 0
    assert found.high > 1


@pytest.mark.parametrize("kept", [Extremes, MeanExtremes, Histogram])
def test_tensors_that_share_a_scale_have_the_widest_range(kept):
    narrow, wide, positive = seen(kept, VALUES), seen(kept, 3 * VALUES - 1), seen(kept, np.abs(VALUES))
    both = kept.of([narrow, wide, positive])
    assert (both.low, both.high) == (wide.low, max(wide.high, positive.high))
    assert both.seen == 3 * VALUES.size


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kept", [Extremes, MeanExtremes])
def test_what_is_not_finite_is_remembered(kept, bad):
    assert seen(kept, [[1.0, 2.0]]).is_finite
    assert not seen(kept, [[1.0, bad], [3.0]]).is_finite
    assert not seen(kept, [[1.0], [3.0, bad]]).is_finite


@pytest.mark.parametrize("kept", [Extremes, MeanExtremes])
def test_nothing_seen(kept):
    found = seen(kept, [np.zeros((0, 3))])
    assert found.is_finite
    assert ranges.choose(found, "minmax") == (0.0, 0.0)
