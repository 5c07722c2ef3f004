from __future__ import annotations

import pytest

from dlpipe.errors import BadModel, Unsupported
from dlpipe.ir.calls import describe_call
from dlpipe.passes.registry import pass_call

DENSE = """(float[4,64] x) => (float[4,48] y) {
    a = MatMul(x, w1)  s = Add(a, b1)  r = Relu(s)  y = Gemm<transB=1, alpha=0.5>(r, w2, b2)
}"""
DENSE_WEIGHTS = {"w1": [64, 96], "b1": [96], "w2": [48, 96], "b2": [48]}
LOOK_UP = """(int64[2,5] i) => (float[2,5,32] y) { e = Gather(table, i)  y = MatMul(e, w) }"""
LOOK_UP_WEIGHTS = {"table": [100, 48], "w": [48, 32]}
CONV = """(float[1,8,9,9] x) => (float[1,16,9,9] y) { a = Conv<pads=[1,1,1,1]>(x, w1)  y = Conv(a, w2) }"""
CONV_WEIGHTS = {"w1": [16, 8, 3, 3], "w2": [16, 16, 1, 1]}
BOTH = pytest.mark.parametrize("name", ["quantize-weights", "quantize-weights-gptq"])


def nodes(bench, ir, op):
    return [node for node in bench.run(describe_call(), ir=ir)[0]["nodes"] if node["op"] == op]


@BOTH
@pytest.mark.parametrize("method", ["rtn", "hqq"])
@pytest.mark.parametrize(("bits", "symmetric", "error"), [
    (8, True, 0.01), (8, False, 0.01), (4, True, 0.12), (4, False, 0.1)
])  # fmt: skip
def test_products(try_text, name, bits, symmetric, method, error):
    params = {"bits": bits, "symmetric": symmetric, "method": method}
    tried = try_text(name, DENSE, weights=DENSE_WEIGHTS, params=params)
    assert 0 < tried.error < error
    assert tried.after["DequantizeLinear"] == 2
    assert tried.value["left_float"] == []
    per_weight = bits + 32 / 32 + (0 if symmetric else bits / 32)
    assert tried.value["weight_bytes"]["after"] == (64 * 96 + 48 * 96) * per_weight / 8


def test_the_form_is_what_onnx_runtime_fuses(bench, try_text):
    tried = try_text("quantize-weights", DENSE, weights=DENSE_WEIGHTS)
    for node, (rows, columns) in zip(nodes(bench, tried.ir, "DequantizeLinear"), ((64, 96), (96, 48)), strict=True):
        assert [port["dtype"] for port in node["inputs"]] == ["uint4", "float32", "uint4"]
        assert [port["shape"] for port in node["inputs"]] == [[rows, columns], *[[rows // 32, columns]] * 2]
        assert node["attributes"] == {"axis": 0, "block_size": 32}
    gemm = nodes(bench, tried.ir, "Gemm")[0]
    assert "transB" not in gemm["attributes"]
    assert "alpha" not in gemm["attributes"]
    loaded, _ = bench.tool("optimised", inputs={"ir": tried.ir})
    assert loaded["MatMulNBits"] == 2
    assert "DequantizeLinear" not in loaded


@pytest.mark.parametrize("behind", ["Relu(s)", "Clip(s, low)", "Clip(s, low, high)", "Clip(s, , high)", "Sigmoid(s)"])
@pytest.mark.parametrize("product", ["s = Gemm(x, w, b)", "s = MatMul(x, w)", "m = MatMul(x, w)  s = Add(b, m)"])
def test_onnx_runtime_fuses_whatever_stands_behind(bench, try_text, product, behind):
    body = f"(float[4,64] x) => (float[4,32] y) {{ {product}  r = {behind}  t = Neg(r)  y = Abs(t) }}"
    body = body.replace("{ ", "{ low = Constant<value = float {-9.0}>()  high = Constant<value = float {9.0}>()  ", 1)
    tried = try_text("quantize-weights", body, weights={"w": [64, 32], "b": [32]}, params={"bits": 8})
    assert tried.error < 0.05
    loaded, _ = bench.tool("optimised", inputs={"ir": tried.ir})
    assert loaded["MatMulNBits"] == 1
    assert "DequantizeLinear" not in loaded


def test_a_last_block_that_is_not_full(try_text):
    body = "(float[2,50] x) => (float[2,40] y) { y = MatMul(x, w) }"
    for name in ("quantize-weights", "quantize-weights-gptq"):
        tried = try_text(name, body, weights={"w": [50, 40]}, params={"block": 64})
        assert tried.error < 0.2


def test_a_table_keeps_eight_bits_and_its_rows_are_looked_up_as_integers(bench, try_text):
    tried = try_text("quantize-weights", LOOK_UP, weights=LOOK_UP_WEIGHTS)
    assert tried.error < 0.15
    table = nodes(bench, tried.ir, "Gather")[0]["inputs"][0]
    assert (table["dtype"], table["shape"]) == ("int8", [100, 48])
    alone = try_text("quantize-weights", LOOK_UP, weights=LOOK_UP_WEIGHTS, params={"operators": ["Gather"]})
    assert alone.error < 0.01


def test_a_table_that_is_an_output(try_text):
    tried = try_text(
        "quantize-weights", "(int64[3] i) => (float[3,40] y) { y = Gather(t, i) }", weights={"t": [50, 40]}
    )
    assert tried.error < 0.01


def test_filters_where_they_are_asked_for(try_text):
    tried = try_text("quantize-weights", CONV, weights=CONV_WEIGHTS, params={"operators": ["Conv"]})
    assert 0 < tried.error < 0.02
    assert tried.value["quantised_nodes"] == 1  # the other has 256 weights


def test_weights_that_are_read_twice_are_stored_once(try_text):
    body = "(float[2,64] x) => (float[2,64] y) { a = MatMul(x, w)  r = Relu(a)  y = MatMul(r, w) }"
    tried = try_text("quantize-weights", body, weights={"w": [64, 64]})
    assert tried.after["DequantizeLinear"] == 2
    assert tried.value["weight_bytes"] == {"before": 4 * 4096, "after": 4096 // 2 + 4 * 128 + 128 // 2}


def test_what_is_kept_and_what_cannot_be_stored_is_said(try_text):
    tried = try_text("quantize-weights", DENSE, weights=DENSE_WEIGHTS, params={"keep": ["MatMul_0"]})
    assert tried.value["left_float"] == ["MatMul_0 (MatMul)"]
    body = "(float[2,3,64] x) => (float[2,3,32] y) { a = MatMul(x, w1)  y = MatMul(a, w2) }"
    tried = try_text("quantize-weights", body, weights={"w1": [2, 64, 64], "w2": [64, 32]})
    assert tried.value["left_float"] == ["MatMul_0 (MatMul)"]


def test_products_that_nobody_reads(bench):
    body = "(float[2,64] x) => (float[2,64] y) { dead = MatMul(x, w)  y = Relu(x) }"
    ir = bench.make_ir(bench.build(f'<ir_version: 8, opset_import: ["" : 18]> g {body}', weights={"w": [64, 64]}))
    for name in ("quantize-weights", "quantize-dynamic"):
        with pytest.raises(Unsupported, match="no MatMul"):
            bench.run(pass_call(name), ir=ir)


def test_samples_that_are_not_numbers(bench, try_text):
    body = "(float[2,64] x) => (float[2,64] y) { a = Log(x)  y = MatMul(a, w) }"
    ir = bench.make_ir(bench.build(f'<ir_version: 8, opset_import: ["" : 18]> g {body}', weights={"w": [64, 64]}))
    with pytest.raises(BadModel, match="'a' is not finite on sample 0"):
        bench.run(pass_call("quantize-weights-gptq"), ir=ir, samples=bench.samples(ir))


def test_weights_that_are_not_numbers(bench):
    body = "(float[2,64] x) => (float[2,64] y) { y = MatMul(x, w) }"
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {body}'
    ir = bench.make_ir(bench.build(text, weights={"w": [64, 64]}, scale=1e39))  # infinite in float32
    for name in ("quantize-weights", "quantize-dynamic"):
        with pytest.raises(Unsupported, match="'w' is not finite"):
            bench.run(pass_call(name), ir=ir)


def test_in_nested_graphs(try_text):
    body = """(float[1,64] x, bool flag) => (float[1,64] y) {
        y = If(flag) <
            then_branch = t () => (float[1,64] a) { a = MatMul(x, w) },
            else_branch = e () => (float[1,64] c) { c = Relu(x) }
        >
    }"""
    for name in ("quantize-weights", "quantize-weights-gptq"):
        tried = try_text(name, body, weights={"w": [64, 64]})
        assert tried.error < 0.1
        assert tried.after["DequantizeLinear"] == 1


@BOTH
def test_old_operator_sets_are_raised(try_text, name):
    tried = try_text(name, DENSE, weights=DENSE_WEIGHTS, opset=13)
    assert tried.value["changes"][0] == "operator set 13 -> 21"
    assert tried.error < 0.1


def test_the_same_bytes_again(bench, try_text):
    for name in ("quantize-weights", "quantize-weights-gptq"):
        tried = try_text(name, DENSE, weights=DENSE_WEIGHTS)
        _, out = bench.run(pass_call(name), ir=tried.source, samples=bench.samples(tried.source))
        assert (out / "model.onnx").read_bytes() == (tried.ir / "model.onnx").read_bytes()


def test_refusals(bench, try_text):
    tried = try_text("quantize-weights", DENSE, weights=DENSE_WEIGHTS)
    small = bench.make_ir(bench.build(f'<ir_version: 8, opset_import: ["" : 18]> g {CONV}', weights=CONV_WEIGHTS))
    for ir, params, match in (
        (tried.ir, {}, "already"),
        (small, {}, "no MatMul, Gemm, Gather has"),
        (tried.source, {"bits": 3}, "bits=3 is not one of 4, 8"),
        (tried.source, {"method": "awq"}, "not one of rtn, hqq"),
        (tried.source, {"block": 24}, "no power of 2"),
        (tried.source, {"operators": ["LSTM"]}, "weights of LSTM"),
    ):
        with pytest.raises(Unsupported, match=match):
            bench.run(pass_call("quantize-weights", **params), ir=ir)
