"""Models of an earlier operator set are raised to the one that has the operator, and only where that brings one."""

from __future__ import annotations

import pytest

from dlpipe.ir.calls import describe_call
from dlpipe.passes.registry import pass_call

GELU = """(float[2,8] x) => (float[2,8] y) <float half = {0.5}, float one = {1.0}, float root = {0.70710677}> {
    a = Mul(x, root)  e = Erf(a)  b = Add(e, one)  c = Mul(x, b)  y = Mul(c, half) }"""
TANH = """(float[2,8] x) => (float[2,8] y) <float half = {0.5}, float one = {1.0}, float three = {3.0},
    float pi = {0.79788458}, float cube = {0.044715}> { q = Pow(x, three)  r = Mul(q, cube)  u = Add(x, r)
    a = Mul(u, pi)  e = Tanh(a)  b = Add(e, one)  c = Mul(x, b)  y = Mul(c, half) }"""
NORM = """(float[2,8] x) => (float[2,8] y) <float eps = {0.00001}> {
    m = ReduceMean<axes=[-1]>(x)  d = Sub(x, m)  q = Mul(d, d)  v = ReduceMean<axes=[1]>(q)  e = Add(v, eps)
    s = Sqrt(e)  y = Div(d, s) }"""
RMS = """(float[2,8] x) => (float[2,8] y) <float eps = {0.00001}> {
    q = Mul(x, x)  v = ReduceMean<axes=[1]>(q)  e = Add(v, eps)  s = Sqrt(e)  y = Div(x, s) }"""
ATTENTION = """(float[2,2,5,4] q, float[2,2,6,4] k, float[2,2,6,4] v) => (float[2,2,5,4] y) {
    t = Transpose<perm=[0,1,3,2]>(k)  s = MatMul(q, t)  p = Softmax<axis=-1>(s)  y = MatMul(p, v) }"""
CASES = {  # (pass, graph, from, to, operator)
    "gelu": ("fuse-gelu", GELU, 13, 20, "Gelu"),
    "gelu of set 7": ("fuse-gelu", TANH, 7, 20, "Gelu"),
    "gelu of set 9": ("fuse-gelu", GELU, 9, 20, "Gelu"),
    "layer norm": ("fuse-norms", NORM, 11, 17, "LayerNormalization"),
    "rms norm": ("fuse-norms", RMS, 17, 23, "RMSNormalization"),
    "attention": ("fuse-attention", ATTENTION, 14, 23, "Attention"),
    "attention of set 11": ("fuse-attention", ATTENTION.replace("axis=-1", "axis=3"), 11, 23, "Attention"),
}
NOTHING = "(float[2,8] x) => (float[2,8] y) { a = Relu(x)  y = Add(a, x) }"


@pytest.mark.parametrize("name", CASES)
def test_raised(bench, try_pass, name):
    which, graph, before, after, operator = CASES[name]
    ir = bench.make_ir(bench.build(f'<ir_version: 4, opset_import: ["" : {before}]> g {graph}'))
    tried = try_pass(which, ir)
    assert tried.after == {operator: 1}
    assert tried.error < 1e-5
    assert tried.value["changes"][0] == f"operator set {before} -> {after}"
    assert bench.run(describe_call(), ir=tried.ir)[0]["opset"] == after


@pytest.mark.parametrize("which", ["fuse-gelu", "fuse-norms", "fuse-rotary", "fuse-attention"])
@pytest.mark.parametrize("graph", [NOTHING, GELU])
def test_not_raised_for_nothing(bench, which, graph):
    ir = bench.make_ir(bench.build(f'<ir_version: 4, opset_import: ["" : 11]> g {graph}'))
    value, _ = bench.run(pass_call(which), ir=ir)
    assert value["modified"] == (which == "fuse-gelu" and graph == GELU)


def test_not_raised_where_that_is_not_wanted(bench):
    ir = bench.make_ir(bench.build(f'<ir_version: 4, opset_import: ["" : 11]> g {GELU}'))
    assert not bench.run(pass_call("fuse-gelu", raise_opset=False), ir=ir)[0]["modified"]


def test_operators_of_other_domains_are_no_obstacle(bench):
    graph = GELU.replace("y = Mul(c, half)", "z = Mul(c, half)  y = com.microsoft.BiasGelu(z, w)")
    text = f'<ir_version: 4, opset_import: ["" : 13, "com.microsoft" : 1]> g {graph}'
    value, _ = bench.run(pass_call("fuse-gelu"), ir=bench.make_ir(bench.build(text, weights={"w": [8]})))
    assert value["changes"][0] == "operator set 13 -> 20"


def test_what_cannot_be_raised_stays(bench):
    """ONNX's converter has no way for a batch norm over all places."""
    graph = TANH.replace("y = Mul(c, half)", "z = Mul(c, half)  y = BatchNormalization<spatial=0>(z, g, g, g, g)")
    ir = bench.make_ir(bench.build(f'<ir_version: 4, opset_import: ["" : 8]> g {graph}', weights={"g": [8]}))
    value, out = bench.run(pass_call("fuse-gelu"), ir=ir)
    assert not value["modified"]
    assert (out / "model.onnx").read_bytes() == (ir / "model.onnx").read_bytes()
