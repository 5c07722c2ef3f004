from __future__ import annotations

import numpy as np
import pytest

NET = """(float[N,3,8,8] x) => (float[N,4,8,8] y) {
    a = Conv<pads=[1,1,1,1]>(x, w1, b1)  r = Relu(a)  c = Conv<pads=[1,1,1,1]>(r, w2, b2)  s = Relu(c)
    y = Conv(s, w3, b3)
}"""
WEIGHTS = {"w1": [8, 3, 3, 3], "b1": [8], "w2": [8, 8, 3, 3], "b2": [8], "w3": [4, 8, 1, 1], "b3": [4]}


@pytest.fixture(scope="module")
def net(bench):
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {NET}'
    return bench.make_ir(bench.build(text, weights=WEIGHTS, scale=0.4))


@pytest.fixture(scope="module")
def samples(bench):
    """With some values far outside: what most of the methods clip."""
    values = np.random.default_rng(0).standard_normal((40, 1, 3, 8, 8)).astype(np.float32)
    values[::7, 0, 0, 0, 0] = 25
    folder = bench.folder()
    folder.mkdir()
    np.savez(folder / "samples.npz", x=values)
    return folder


@pytest.fixture(scope="module")
def noise(bench, net, samples, try_pass):
    """noise(**params) -> (per channel: the mean of what is wrong, and its mean square; the value of the pass)."""
    wanted = bench.outputs(net, samples)["y"]

    def made(**params):
        tried = try_pass("quantize-int8", net, samples, **params)
        wrong = np.moveaxis(bench.outputs(tried.ir, samples)["y"] - wanted, 2, 0).reshape(4, -1)
        return wrong.mean(axis=1), (wrong**2).mean(axis=1), tried.value

    return made


def test_auto_is_as_near_as_the_best_method(noise):
    each = {
        method: noise(method=method, correct_bias=False, smooth=False)[1].sum()
        for method in ("minmax", "percentile", "entropy", "mse")
    }
    _, square, value = noise(method="auto", correct_bias=False, smooth=False)
    assert square.sum() <= min(each.values()) * 1.0001
    assert value["calibration"]["method"].split(";")[0] in each


def test_corrected_biases_take_the_mean_error_away(noise):
    before, square_before, value = noise(method="mse", per_channel=False, correct_bias=False, smooth=False)
    assert value["corrected_biases"] == 0
    after, square_after, value = noise(method="mse", per_channel=False, smooth=False)
    assert value["corrected_biases"] == 3
    assert np.abs(after).max() < 0.3 * np.abs(before).max()
    assert square_after.sum() < square_before.sum()
