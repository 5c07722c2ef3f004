from __future__ import annotations

DENSE = """(float[4,20] x) => (float[4,6] y) {
    a = MatMul(x, w1)  s = Add(a, b1)  r = Relu(s)  y = Gemm(r, w2, b2)
}"""
DENSE_WEIGHTS = {"w1": [20, 40], "b1": [40], "w2": [40, 6], "b2": [6]}
RECURRENT = """(float[7,1,4] x) => (float[1,3] y) {
    h, hl = LSTM<hidden_size=6>(x, w, r)  s = Squeeze(hl, axes)  y = Gemm(s, v, b)
}"""
RECURRENT_BUILD = {"weights": {"w": [1, 24, 4], "r": [1, 24, 6], "v": [6, 3], "b": [3]}, "ints": {"axes": [0]}}


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
