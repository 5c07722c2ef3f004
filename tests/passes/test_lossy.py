from __future__ import annotations

import pytest

from dlpipe.errors import BadModel, Unsupported
from dlpipe.passes.registry import pass_call

DEPTHWISE = """(float[1,1,10,10] x) => (float[1,5] y) {
    a = Conv<pads=[1,1,1,1]>(x, w1, b1)  r1 = Relu(a)
    d = Conv<pads=[1,1,1,1], group=8>(r1, w2)  r2 = Relu(d)
    p = Conv(r2, w3)  r3 = Relu(p)
    m = GlobalAveragePool(r3)  f = Flatten(m)  g = Gemm(f, w4, b4)  y = Softmax(g)
}"""
DEPTHWISE_WEIGHTS = {"w1": [8, 1, 3, 3], "b1": [8], "w2": [8, 1, 3, 3], "w3": [6, 8, 1, 1], "w4": [6, 5], "b4": [5]}
DENSE = """(float[4,20] x) => (float[4,6] y) {
    a = MatMul(x, w1)  s = Add(a, b1)  r = Relu(s)  y = Gemm(r, w2, b2)
}"""
DENSE_WEIGHTS = {"w1": [20, 40], "b1": [40], "w2": [40, 6], "b2": [6]}
RECURRENT = """(float[7,1,4] x) => (float[1,3] y) {
    h, hl = LSTM<hidden_size=6>(x, w, r)  s = Squeeze(hl, axes)  y = Gemm(s, v, b)
}"""
RECURRENT_BUILD = {"weights": {"w": [1, 24, 4], "r": [1, 24, 6], "v": [6, 3], "b": [3]}, "ints": {"axes": [0]}}


@pytest.mark.parametrize("activations", ["uint8", "int8"])
@pytest.mark.parametrize("method", ["minmax", "percentile", "mse"])
def test_int8_of_a_depthwise_net(try_text, activations, method):
    params = {"activations": activations, "method": method}
    tried = try_text("quantize-int8", DEPTHWISE, weights=DEPTHWISE_WEIGHTS, scale=0.4, params=params)
    assert tried.error < 0.2
    assert tried.value["left_float"] == []
    assert tried.value["quantised_nodes"] >= 4


def test_weights_are_stored_in_int8_per_channel(bench, try_text):
    from dlpipe.ir.calls import describe_call

    tried = try_text("quantize-int8", DEPTHWISE, weights=DEPTHWISE_WEIGHTS, scale=0.4)
    nodes = bench.run(describe_call(), ir=tried.ir)[0]["nodes"]
    stored = {node["inputs"][0]["name"]: node for node in nodes if node["op"] == "DequantizeLinear"}
    weights = [node for node in stored.values() if node["inputs"][0]["shape"] == [8, 1, 3, 3]]
    assert len(weights) == 2
    assert all(node["inputs"][0]["dtype"] == "int8" for node in weights)
    assert all(node["inputs"][1]["shape"] == [8] for node in weights)
    assert any(node["inputs"][0]["dtype"] == "int32" for node in stored.values())


def test_int8_of_matrices(try_text):
    tried = try_text("quantize-int8", DENSE, weights=DENSE_WEIGHTS)
    assert tried.error < 0.03
    assert tried.value["left_float"] == []


def test_recurrent_operators_stay_in_float(try_text):
    tried = try_text("quantize-int8", RECURRENT, **RECURRENT_BUILD)
    assert tried.error < 0.05
    assert len(tried.value["left_float"]) == 1
    assert tried.value["left_float"][0].endswith("(LSTM)")


def test_excluded_nodes_and_chosen_operators(try_text):
    tried = try_text("quantize-int8", DEPTHWISE, weights=DEPTHWISE_WEIGHTS, scale=0.4, params={"exclude": ["Conv_0"]})
    assert "Conv_0 (Conv)" in tried.value["left_float"]
    tried = try_text("quantize-int8", DEPTHWISE, weights=DEPTHWISE_WEIGHTS, scale=0.4, params={"only": ["Gemm"]})
    assert sum(name.endswith("(Conv)") for name in tried.value["left_float"]) == 3


def test_quantising_twice_is_refused(bench, try_text):
    tried = try_text("quantize-int8", DENSE, weights=DENSE_WEIGHTS)
    with pytest.raises(Unsupported, match="already"):
        bench.run(pass_call("quantize-int8"), ir=tried.ir, samples=bench.samples(tried.source))
    with pytest.raises(Unsupported, match="quantised"):
        bench.run(pass_call("fp16"), ir=tried.ir)


def test_nothing_to_quantise_is_refused(bench):
    text = '<ir_version: 8, opset_import: ["" : 18]> g (float[2] x) => (float[2] y) { y = Exp(x) }'
    ir = bench.make_ir(bench.build(text))
    with pytest.raises(Unsupported, match="nothing"):
        bench.run(pass_call("quantize-int8"), ir=ir, samples=bench.samples(ir))


def test_activations_that_are_not_finite_are_refused(bench):
    text = (
        '<ir_version: 8, opset_import: ["" : 18]> g (float[1,4] x) => (float[1,4] y) { a = Log(x)  y = MatMul(a, w) }'
    )
    ir = bench.make_ir(bench.build(text, weights={"w": [4, 4]}))
    with pytest.raises(BadModel, match="not finite"):
        bench.run(pass_call("quantize-int8"), ir=ir, samples=bench.samples(ir))


def test_fp16(try_text):
    for body, build in ((DENSE, {"weights": DENSE_WEIGHTS}), (RECURRENT, RECURRENT_BUILD)):
        tried = try_text("fp16", body, **build)
        assert 0 < tried.error < 0.005


def test_fp16_clamps_and_says_so(try_text):
    body = "(float[1,4] x) => (float[1,4] y) { a = MatMul(x, w)  y = Tanh(a) }"
    tried = try_text("fp16", body, weights={"w": [4, 4]}, scale=1e5)
    assert tried.value["clamped"] > 0


def test_fp16_keeps_what_it_is_told(try_text):
    tried = try_text("fp16", DENSE, weights=DENSE_WEIGHTS, params={"keep": ["MatMul"]})
    assert tried.value["left_float"] == ["MatMul_0 (MatMul)"]
    assert tried.error < 0.005


def test_fp16_in_nested_graphs(try_text):
    body = """(float[1,4] x, bool flag) => (float[1,4] y) {
        h = MatMul(x, w)
        y = If(flag) <
            then_branch = t () => (float[1,4] a) { b = Mul(h, h)  a = Relu(b) },
            else_branch = e () => (float[1,4] c) { d = Cast<to=1>(h)  c = CumSum(d, axis) }
        >
    }"""
    tried = try_text("fp16", body, weights={"w": [4, 4]}, ints={"axis": 1} | {})
    assert tried.error < 0.01
    assert any("CumSum" in name for name in tried.value["left_float"])
