from __future__ import annotations

import numpy as np
import pytest

from dlpipe.passes.quantisation.static import rounding

WEIGHTS = np.random.default_rng(0).standard_normal((6, 4, 3, 3)).astype(np.float32) * np.logspace(-3, 2, 6)[
    :, None, None, None
].astype(np.float32)


@pytest.mark.parametrize(("bits", "last"), [(8, 127), (7, 63)])
def test_per_channel(bits, last):
    stored = rounding.round_off(WEIGHTS, 0, bits=bits)
    assert (stored.levels.dtype, stored.levels.shape, stored.scale.shape) == (np.int8, WEIGHTS.shape, (6,))
    assert np.abs(stored.levels.astype(int)).max() <= last
    back = stored.levels * stored.scale[:, None, None, None]
    plain = np.abs(WEIGHTS).max(axis=(1, 2, 3)) / last
    naive = np.rint(WEIGHTS / plain[:, None, None, None]) * plain[:, None, None, None]
    error, least = (((each - WEIGHTS) ** 2).sum(axis=(1, 2, 3)) for each in (back, naive))
    assert np.all(error <= least * 1.0001)  # the range of the weights is among those that are tried


def test_along_another_axis_and_per_tensor():
    moved = rounding.round_off(np.moveaxis(WEIGHTS, 0, 1), 1, bits=8)
    assert np.array_equal(np.moveaxis(moved.levels, 1, 0), rounding.round_off(WEIGHTS, 0, bits=8).levels)
    assert np.ndim(rounding.round_off(WEIGHTS, None, bits=8).scale) == 0


def test_a_channel_of_zeros_has_a_scale():
    stored = rounding.round_off(np.zeros((2, 5), np.float32), 0, bits=8)
    assert np.all(stored.scale > 0)
    assert not stored.levels.any()


def test_a_bias_fits_into_32_bits():
    bias = np.array([1e4, 0.0], np.float32)
    weights = np.full((2, 3), 1e-9, np.float32)
    least = rounding.least_scale(bias, 0.01)
    stored = rounding.round_off(weights, 0, bits=8, least=least)
    assert np.abs(bias / (stored.scale * 0.01)).max() < 2**31
