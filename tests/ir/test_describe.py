from __future__ import annotations

from dlpipe.ir.calls import describe_call

NET = """<ir_version: 8, opset_import: ["" : 18]>
g (float[1,3,8,8] x) => (float[1,5] y) {
    c = Conv<pads=[1,1,1,1]>(x, w)
    r = Relu(c)
    p = GlobalAveragePool(r)
    f = Flatten(p)
    y = Gemm(f, v, b)
}"""
RECURRENT = """<ir_version: 8, opset_import: ["" : 18]>
g (float[7,1,4] x) => (float[7,1,1,6] y) { y = LSTM<hidden_size=6>(x, w, r) }"""
DYNAMIC = '<ir_version: 8, opset_import: ["" : 18]> g (float[N,4] x) => (float[N,3] y) { y = MatMul(x, w) }'


def describe(bench, text, **weights):
    ir = bench.make_ir(bench.build(text, weights=weights))
    return bench.run(describe_call(), ir=ir)[0]


def test_counts_by_hand(bench):
    found = describe(bench, NET, w=[6, 3, 3, 3], v=[6, 5], b=[5])
    assert found["macs"] == 8 * 8 * 6 * 27 + 6 * 5
    assert found["parameters"] == 6 * 27 + 6 * 5 + 5
    assert found["operators"] == {"Conv": 1, "Flatten": 1, "Gemm": 1, "GlobalAveragePool": 1, "Relu": 1}
    assert found["opset"] == 18
    assert found["opsets"] == {"ai.onnx": 18}
    assert found["nodes"][0]["inputs"] == [
        {"name": "x", "dtype": "float32", "shape": [1, 3, 8, 8]},
        {"name": "w", "dtype": "float32", "shape": [6, 3, 3, 3]},
    ]
    assert found["nodes"][0]["attributes"] == {"pads": [1, 1, 1, 1]}


def test_bytes_moved_by_hand(bench):
    found = describe(bench, NET, w=[6, 3, 3, 3], v=[6, 5], b=[5])
    weights = 6 * 27 + 6 * 5 + 5
    convolution, product = 3 * 64 + 6 * 64, 6 + 5  # what they read and write; what lies between is elementwise
    assert found["bytes_moved"] == 4 * (weights + convolution + product)
    assert found["integer_macs"] == 0


QUANTISED = """<ir_version: 8, opset_import: ["" : 18]>
g (float[1,2] x) => (float[1,3] y)
<float s = {0.1}, uint8 z = {128}, float t = {0.2}, int8[3,2] w = {1, 2, 3, 4, 5, 6}, int8 n = {0}>
{
    q = QuantizeLinear(x, s, z)
    a = DequantizeLinear(q, s, z)
    b = DequantizeLinear(w, t, n)
    c = Transpose(b)
    y = MatMul(a, c)
}"""


def test_a_quantised_tensor_is_the_integers_that_it_stands_for(bench):
    found = describe(bench, QUANTISED)
    assert (found["macs"], found["integer_macs"]) == (6, 6)
    scales = 4 + 1 + 4 + 1
    assert found["bytes_moved"] == 6 + scales + 2 + 3
    only_weights = describe(bench, QUANTISED.replace("MatMul(a, c)", "MatMul(x, c)"))
    assert only_weights["integer_macs"] == 0  # computed in floats: the other operand is one
    assert only_weights["bytes_moved"] == 6 + scales + 4 * (2 + 3)


def test_recurrent_macs(bench):
    found = describe(bench, RECURRENT, w=[1, 24, 4], r=[1, 24, 6])
    assert found["macs"] == 7 * 24 * (4 + 6)


def test_unknown_macs_say_why(bench):
    found = describe(bench, DYNAMIC.replace("[N,", "[1,N,"), w=[4, 3])
    assert found["macs"] is None
    assert "MatMul" in found["macs_reason"]
    assert found["inputs"][0]["shape"] == [1, "N", 4]
    assert any("symbolic" in risk for risk in found["risks"])


def test_an_open_batch_counts_as_one_sample(bench):
    found = describe(bench, DYNAMIC, w=[4, 3])
    assert found["macs"] == 4 * 3
    assert found["inputs"][0]["shape"] == ["N", 4]


def test_control_flow_of_a_real_model(bench, shared):
    ir = bench.make_ir(shared / "models/silero_vad", "silero_vad.onnx")
    found = bench.run(describe_call(), ir=ir)[0]
    assert found["operators"]["LSTM"] >= 1  # inside the branches of If
    assert found["macs"] is None


def test_outputs_that_are_an_activations(bench):
    text = """<ir_version: 8, opset_import: ["" : 18]>
    g (float[1,4] x) => (float[4] a, float[1,8] b, float[1,4] c) {
        s = Sigmoid(x)
        t = Tanh(x)
        a = Squeeze(s)
        b = Concat<axis=1>(s, t)
        c = Add(s, t)
    }"""
    assert describe(bench, text)["bounded"] == ["a", "b"]
