"""Tensors are looked at on a share of many samples each: what that must not change."""

from __future__ import annotations

import numpy as np
import pytest

from dlpipe.errors import BadModel

SAMPLES = 256  # of which each tensor is looked at on 64
NET = """(float[N,3,8,8] x) => (float[N,4,8,8] y) {
    a = Conv<pads=[1,1,1,1]>(x, w1)  r = Relu(a)  c = Conv<pads=[1,1,1,1]>(r, w2)  s = Relu(c)
    d = Conv<pads=[1,1,1,1]>(s, w2)  t = Relu(d)  y = Conv(t, w3)
}"""
WEIGHTS = {"w1": [8, 3, 3, 3], "w2": [8, 8, 3, 3], "w3": [4, 8, 1, 1]}


@pytest.fixture(scope="module")
def net(bench):
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {NET}'
    return bench.make_ir(bench.build(text, weights=WEIGHTS, scale=0.4))


@pytest.fixture(scope="module")
def made(bench):
    def make(values):
        folder = bench.folder()
        folder.mkdir()
        np.savez(folder / "samples.npz", x=values)
        return folder

    return make


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(0).standard_normal((SAMPLES, 1, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("period", [2, 5])
def test_classes_that_take_turns_are_seen_by_every_tensor(net, made, values, try_pass, period):
    """A tensor that saw none of the large samples would clip them."""
    values = values.copy()
    values[::period] *= 20
    samples, plain = made(values), {"smooth": False, "correct_bias": False}
    of_shares = try_pass("quantize-int8", net, samples, method="percentile", percentile=100.0, **plain)
    of_all = try_pass("quantize-int8", net, samples, method="minmax", **plain)
    near, nearest = (tried.value["calibration"]["sqnr_db"] for tried in (of_shares, of_all))
    assert near > nearest - 2


def test_no_sample_is_left_out(net, made, values, try_pass):
    """One that is not a number is found wherever it lies."""
    for place in (0, 100, SAMPLES - 1):
        broken = values.copy()
        broken[place, 0, 1, 2, 3] = np.nan
        with pytest.raises(BadModel, match=f"sample {place} is not a number"):
            try_pass("quantize-int8", net, made(broken), method="mse")


def test_the_same_samples_give_the_same_bytes(net, made, values, try_pass):
    samples = made(values)
    first, second = (try_pass("quantize-int8", net, samples, method="mse").ir / "model.onnx" for _ in range(2))
    assert first.read_bytes() == second.read_bytes()
