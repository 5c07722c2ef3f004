from __future__ import annotations

from dlpipe.ir.calls import describe_call


def test_a_kept_node_that_reads_a_value_twice(try_text):
    body = "(float[1,8] x) => (float[1,8] y) { a = MatMul(x, w)  b = Mul(a, a)  y = MatMul(b, w) }"
    tried = try_text("fp16", body, weights={"w": [8, 8]}, params={"keep": ["Mul"]})
    assert tried.value["left_float"] == ["Mul_1 (Mul)"]
    assert tried.error < 0.005


def test_weights_of_what_stays_in_float_stay_in_float(bench, try_text):
    body = "(float[1,8] x) => (float[1,8] y) { a = MatMul(x, w1)  b = MatMul(a, w2)  y = MatMul(b, w2) }"
    build = {"weights": {"w1": [8, 8], "w2": [8, 8]}}
    for keep, dtypes in (
        (["MatMul_0"], ["float32", "float16", "float16"]),
        (["MatMul_1"], ["float16", "float32", "float16"]),
    ):
        tried = try_text("fp16", body, **build, params={"keep": keep})
        nodes = [node for node in bench.run(describe_call(), ir=tried.ir)[0]["nodes"] if node["op"] == "MatMul"]
        assert [node["inputs"][1]["dtype"] for node in nodes] == dtypes
    names = [node["inputs"][1]["name"] for node in nodes]
    assert names == ["w1", "w2", "w2/float16"]


def test_weights_beyond_the_range_of_float16_are_whole_in_an_island(try_text):
    body = "(float[1,4] x) => (float[1,4] y) { a = MatMul(x, w)  y = Tanh(a) }"
    tried = try_text("fp16", body, weights={"w": [4, 4]}, scale=1e6, params={"keep": ["MatMul"]})
    assert tried.error < 0.001
    assert tried.value["clamped"] == 0


def test_outputs_that_are_short_already_stay_so(try_text):
    body = (
        "(float16[2,8] x) => (float16[2,8] y, float[2,8] z) { a = Cast<to=1>(x)  z = MatMul(a, w)  y = Cast<to=10>(z) }"
    )
    tried = try_text("fp16", body, weights={"w": [8, 8]})
    assert tried.error < 0.005
