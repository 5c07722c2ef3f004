from __future__ import annotations

import pytest

from dlpipe.errors import Unsupported
from dlpipe.ir.calls import describe_call
from dlpipe.passes.registry import pass_call

DENSE = """(float[4,64] x) => (float[4,48] y) {
    a = MatMul(x, w1)  s = Add(a, b1)  r = Relu(s)  y = Gemm<transB=1, alpha=0.5, beta=2.0>(r, w2, b2)
}"""
DENSE_WEIGHTS = {"w1": [64, 96], "b1": [96], "w2": [48, 96], "b2": [48]}
LOOK_UP = """(int64[2,5] i) => (float[2,5,32] y) { e = Gather(table, i)  y = MatMul(e, w) }"""
LOOK_UP_WEIGHTS = {"table": [100, 48], "w": [48, 32]}


def test_products(bench, try_text):
    tried = try_text("quantize-dynamic", DENSE, weights=DENSE_WEIGHTS)
    assert 0 < tried.error < 0.02
    assert tried.value["quantised_nodes"] == tried.after["MatMulInteger"] == 2
    nodes = bench.run(describe_call(), ir=tried.ir)[0]["nodes"]
    products = [node for node in nodes if node["op"] == "MatMulInteger"]
    assert [node["inputs"][1]["dtype"] for node in products] == ["int8", "int8"]
    assert [node["inputs"][1]["shape"] for node in products] == [[64, 96], [96, 48]]


def test_onnx_runtime_makes_one_operator_of_each(bench, try_text):
    tried = try_text("quantize-dynamic", DENSE, weights=DENSE_WEIGHTS)
    loaded, _ = bench.tool("optimised", inputs={"ir": tried.ir})
    assert loaded["DynamicQuantizeMatMul"] == 2
    assert not {"MatMulInteger", "DynamicQuantizeLinear"} & set(loaded)


def test_seven_bits(try_text):
    tried = try_text("quantize-dynamic", DENSE, weights=DENSE_WEIGHTS, params={"weights": "int7"})
    assert 0 < tried.error < 0.03


def test_tables(bench, try_text):
    tried = try_text("quantize-dynamic", LOOK_UP, weights=LOOK_UP_WEIGHTS)
    assert tried.error < 0.02
    nodes = bench.run(describe_call(), ir=tried.ir)[0]["nodes"]
    assert [node["inputs"][0]["dtype"] for node in nodes if node["op"] == "Gather"] == ["int8", "float32"]


@pytest.mark.parametrize("opset", [7, 11, 13])
def test_old_operator_sets(try_text, opset):
    body = DENSE.replace("Relu(s)", "Sigmoid(s)")
    tried = try_text(
        "quantize-dynamic", body, weights=DENSE_WEIGHTS, opset=opset, params={"operators": ["MatMul", "Gemm"]}
    )
    assert tried.error < 0.02


def test_weights_that_are_read_twice_and_nested_graphs(try_text):
    body = """(float[2,64] x, bool flag) => (float[2,64] y) {
        a = MatMul(x, w)  r = Relu(a)  b = MatMul(r, w)
        y = If(flag) <
            then_branch = t () => (float[2,64] o) { o = MatMul(b, w) },
            else_branch = e () => (float[2,64] p) { p = Relu(b) }
        >
    }"""
    tried = try_text("quantize-dynamic", body, weights={"w": [64, 64]})
    assert tried.after["MatMulInteger"] == 3
    assert tried.error < 0.05


def test_what_is_kept(try_text):
    tried = try_text("quantize-dynamic", DENSE, weights=DENSE_WEIGHTS, params={"keep": ["MatMul_0"]})
    assert tried.value["left_float"] == ["MatMul_0 (MatMul)"]


def test_refusals(bench, try_text):
    conv = "(float[1,8,9,9] x) => (float[1,16,9,9] y) { y = Conv<pads=[1,1,1,1]>(x, w) }"
    conv = bench.make_ir(
        bench.build(f'<ir_version: 8, opset_import: ["" : 18]> g {conv}', weights={"w": [16, 8, 3, 3]})
    )
    tried = try_text("quantize-dynamic", DENSE, weights=DENSE_WEIGHTS)
    for ir, params, match in (
        (conv, {}, "no MatMul or Gemm"),
        (conv, {"operators": ["Conv"]}, "slower than in float"),
        (tried.ir, {}, "already"),
        (tried.source, {"weights": "int4"}, "int8, int7"),
    ):
        with pytest.raises(Unsupported, match=match):
            bench.run(pass_call("quantize-dynamic", **params), ir=ir)
