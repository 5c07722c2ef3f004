"""Cross-layer equalisation and SmoothQuant: the same function, in other numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported
from dlpipe.passes.registry import pass_call

CHAIN = """(float[1,3,9,9] x) => (float[1,5] y) {
    a = Conv<pads=[1,1,1,1]>(x, w1, b1)  r = Relu(a)
    d = Conv<group=8>(r, w2, b2)  s = LeakyRelu<alpha=0.1>(d)  m = MaxPool<kernel_shape=[2,2]>(s)
    c = Conv<group=2>(m, w3)  t = Relu(c)  g = GlobalAveragePool(t)  f = Flatten(g)
    h = Gemm<transB=1>(f, w4, b4)  u = Relu(h)  y = MatMul(u, w5)
}"""
WEIGHTS = {"w1": [8, 3, 3, 3], "b1": [8], "w2": [8, 1, 3, 3], "b2": [8], "w3": [6, 4, 1, 1]} | {
    "w4": [7, 6],
    "b4": [7],
    "w5": [7, 5],
}
NORMALISED = """(float[2,4,16] x) => (float[2,4,8] y, float[2,4,6] z) {
    n = LayerNormalization(x, g_positive, b)  y = MatMul(n, w1)  z = MatMul(n, w2)
}"""
BOTH = pytest.mark.parametrize("name", ["equalize", "smooth-quant"])


@pytest.fixture
def weights(bench):
    """weights(ir) -> {name: array}."""

    def read(ir: Path) -> dict[str, Any]:
        found = bench.tool("weights", inputs={"ir": ir})[0]
        return {name: np.array(rows) for name, rows in found.items()}

    return read


def largest(array: Any, axis: int) -> Any:
    return np.abs(np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)).max(axis=1)


@BOTH
def test_the_outputs_stay(try_text, name):
    tried = try_text(name, CHAIN, weights=WEIGHTS)
    assert tried.value["modified"]
    assert len(tried.value["changes"]) == 4
    assert tried.error < 2e-6
    assert tried.before == tried.after


def test_ranges_are_equal_afterwards(try_text, weights):
    body = """(float[1,3,9,9] x) => (float[1,5,9,9] y) {
        a = Conv(x, w1, b1)  r = Relu(a)  c = Conv(r, w2)  s = Relu(c)  y = Conv(s, w3)
    }"""
    shapes = {"w1": [8, 3, 1, 1], "b1": [8], "w2": [6, 8, 1, 1], "w3": [5, 6, 1, 1]}
    tried = try_text("equalize", body, weights=shapes)
    found = {name.split("/")[0]: array for name, array in weights(tried.ir).items()}
    assert largest(found["w1"], 0) == pytest.approx(largest(found["w2"], 1), rel=0.03)
    assert largest(found["w2"], 0) == pytest.approx(largest(found["w3"], 1), rel=0.03)


def test_a_second_time_there_is_nothing_to_equalise(bench, try_text):
    tried = try_text("equalize", CHAIN, weights=WEIGHTS)
    value, _ = bench.run(pass_call("equalize"), ir=tried.ir)
    assert not value["modified"]


def test_smoothing_moves_out_of_a_normalisation(try_text):
    tried = try_text("smooth-quant", NORMALISED, weights={"g_positive": [16], "b": [16], "w1": [16, 8], "w2": [16, 6]})
    assert tried.error < 2e-6
    assert tried.value["changes"] == ["n: scales of 16 channels"]


def test_smoothing_helps_where_one_channel_is_large(bench, try_text):
    body = """(float[1,12,16] x) => (float[1,12,8] y) { n = LayerNormalization(x, g, b)  y = MatMul(n, w) }"""
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {body}'
    source = bench.build(text, weights={"g": [16], "b": [16], "w": [16, 8]})
    shrunk = Call("core", Path(__file__).parents[1] / "pruning" / "weights" / "worker.py", "shrink")
    params = {"names": ["g", "b"], "factor": 60.0, "step": 9}  # two channels of sixteen
    ir = bench.make_ir(bench.run(Call("core", shrunk.worker, "shrink", params), source=source)[1])
    samples = bench.samples(ir, 20)
    wanted = bench.outputs(ir, samples)["y"]
    error = {}
    for smooth in (False, True):
        _, out = bench.run(pass_call("quantize-int8", smooth=smooth), ir=ir, samples=samples)
        error[smooth] = ((bench.outputs(out, samples)["y"] - wanted) ** 2).sum()
    assert error[True] < 0.5 * error[False]


@BOTH
@pytest.mark.parametrize(
    "body",
    [
        # a Clip, a sum, a second reader, an output: the scale has no way
        "(float[1,3,6,6] x) => (float[1,2,6,6] y) { a = Conv(x, w1)  c = Clip(a, low, high)  y = Conv(c, w2) }",
        "(float[1,3,6,6] x) => (float[1,2,6,6] y) { a = Conv(x, w1)  b = Conv(x, w3)  c = Add(a, b)  y = Conv(c, w2) }",
        "(float[1,3,6,6] x) => (float[1,2,6,6] y) { a = Conv(x, w1)  b = Sigmoid(a)  y = Conv(b, w2) }",
        "(float[1,3,6,6] x) => (float[1,2,6,6] y, float[1,4,6,6] a) { a = Conv(x, w1)  y = Conv(a, w2) }",
    ],
)
def test_what_is_not_homogeneous_stops_it(try_text, name, body):
    shapes = {"w1": [4, 3, 1, 1], "w2": [2, 4, 1, 1], "w3": [4, 3, 1, 1], "low": [], "high": []}
    used = {key: shape for key, shape in shapes.items() if key in body}
    assert not try_text(name, body, weights=used).value["modified"]


@BOTH
def test_weights_that_two_layers_share(try_text, name):
    body = """(float[1,4,6,6] x) => (float[1,4,6,6] y) { a = Conv(x, w)  r = Relu(a)  y = Conv(r, w) }"""
    assert try_text(name, body, weights={"w": [4, 4, 1, 1]}).error < 2e-6


def test_a_strength_that_is_none(bench):
    ir = bench.make_ir(bench.build(f'<ir_version: 8, opset_import: ["" : 18]> g {CHAIN}', weights=WEIGHTS))
    with pytest.raises(Unsupported, match="strength"):
        bench.run(pass_call("smooth-quant", strength=2), ir=ir, samples=bench.samples(ir))
