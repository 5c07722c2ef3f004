"""A training in parts, and by several processes: the same weights as in one go by one."""

from __future__ import annotations

import numpy as np
import pytest

from dlpipe.errors import BadModel, StageFailed, Unsupported
from dlpipe.passes.registry import pass_call, pass_parts
from tests.passes.training.conftest import write_samples

NORMED = """(float[N,1,8,8] x) => (float[N,4] y) {
    a = Conv<pads=[1,1,1,1]>(x, w1)  n = BatchNormalization(a, s, b, m, v_positive)  r = Relu(n)
    c = Conv<pads=[1,1,1,1]>(r, w2, b2)  q = GlobalAveragePool(c)  f = Flatten(q)  y = Gemm(f, w3, b3)
}"""
WEIGHTS = {"w1": [8, 1, 3, 3], "s": [8], "b": [8], "m": [8], "v_positive": [8], "w2": [16, 8, 3, 3], "b2": [16]}
PARAMS = {"epochs": 3, "hard": 1.0, "soft": 0.0, "rate": 5e-3, "batch": 32, "device": "cpu"}


@pytest.fixture(scope="module")
def normed(bench):
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {NORMED}'
    return bench.make_ir(bench.build(text, weights={**WEIGHTS, "w3": [16, 4], "b3": [4]}, scale=0.3))


@pytest.fixture(scope="module")
def alone(bench, normed, quadrants):
    return bench.run(pass_call("fine-tune", **PARAMS, processes=1), ir=normed, train=quadrants)


def weights(bench, ir):
    return {name: np.array(values) for name, values in bench.tool("weights", inputs={"ir": ir})[0].items()}


def test_statistics_of_batch_norms_follow_the_data(bench, alone, normed, quadrants):
    before, after = weights(bench, normed), weights(bench, alone[1])
    assert np.abs(before["m"] - after["m"]).max() > 1e-3
    _, frozen = bench.run(pass_call("fine-tune", **PARAMS, norm="frozen"), ir=normed, train=quadrants)
    assert np.array_equal(weights(bench, frozen)["m"], before["m"])


def test_parts_end_where_the_whole_does(bench, alone, normed, quadrants):
    *parts, last = pass_parts("fine-tune", pass_call("fine-tune", **PARAMS, processes=1, parts=3))
    state: dict = {}
    for part in parts:
        value, out = bench.run(part, ir=normed, train=quadrants, **state)
        state = {"state": out}
    assert 0 < value["steps"] < alone[0]["steps"]
    value, out = bench.run(last, ir=normed, train=quadrants, **state)
    assert value["steps"] == alone[0]["steps"]
    assert value["history"] == alone[0]["history"]
    assert (out / "model.onnx").read_bytes() == (alone[1] / "model.onnx").read_bytes()
    assert len(list((out / "training" / "1-fine-tune").iterdir())) == 3


def test_two_processes_train_what_one_does(bench, alone, normed, quadrants):
    value, out = bench.run(pass_call("fine-tune", **PARAMS, processes=2), ir=normed, train=quadrants)
    assert value["processes"] == 2
    one, two = weights(bench, alone[1]), weights(bench, out)
    for name, array in one.items():
        assert np.allclose(array, two[name], atol=2e-3 * np.abs(array).max()), name
    for single, team in zip(alone[0]["history"], value["history"], strict=True):
        assert team["held-out/loss"] == pytest.approx(single["held-out/loss"], rel=1e-2)
    assert value["history"][0]["held-out/loss"] == pytest.approx(alone[0]["history"][0]["held-out/loss"], rel=1e-6)


def test_a_loss_that_is_not_finite_ends_the_whole_team(bench, normed, tmp_path):
    """Of one process only: the others must not wait for it."""
    x = np.zeros((64, 1, 1, 8, 8), np.float32)
    x[50] = np.inf
    train = write_samples(tmp_path / "bad", {"x": x}, [0] * 64)
    call = pass_call("fine-tune", **{**PARAMS, "holdout": 0.0, "batch": 4, "norm": "frozen"}, processes=2)
    with pytest.raises((Unsupported, StageFailed), match="the loss is nan at step"):
        bench.run(call, ir=normed, train=train)
    x[:] = np.inf
    with pytest.raises(BadModel, match="not finite on the training data"):
        bench.run(call, ir=normed, train=write_samples(tmp_path / "worse", {"x": x}, [0] * 64))
