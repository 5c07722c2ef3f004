"""The other exact passes: what they do to small graphs, and that the outputs stay."""

from __future__ import annotations

import pytest


def test_clean(try_text):
    body = """(float[2,3] x) => (float[2,3] y) {
        i = Identity(x)  a = Sigmoid(i)  b = Sigmoid(x)  t = Tanh(x)  y = Add(a, b)
    }"""
    tried = try_text("clean", body, weights={"unused": [4]})
    assert tried.after == {"Sigmoid": 1, "Add": 1}
    assert tried.error == 0
    assert any("unused" in change for change in tried.value["changes"])


def test_constants_are_folded(try_text):
    body = """(float[2,3,4] x) => (float[2,12] y) {
        s = Shape(x)  z = Constant<value = int64[1] {0}>()  n = Gather<axis=0>(s, z)
        r = Constant<value = int64[1] {-1}>()  t = Concat<axis=0>(n, r)  y = Reshape(x, t)
    }"""
    tried = try_text("fold-constants", body)
    assert tried.after == {"Reshape": 1}
    assert tried.error == 0


@pytest.mark.parametrize(
    "grow",
    [
        "ConstantOfShape(size)",
        "Expand(one, size)",
        "Tile(one, size)",
        "Add(row, column)",
    ],
)
def test_bombs_are_not_unpacked(bench, grow):
    """3.2 GB, below the limit for a tensor: nothing but the fold would compute it."""
    from dlpipe.passes.registry import pass_call

    body = f"""(float[1] x) => (float[1] y) {{ a = {grow}  b = ReduceMax<keepdims=0>(a)  c = Unsqueeze(b, z)
        y = Add(x, c) }}"""
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {body}'
    source = bench.build(
        text, weights={"one": [1, 1], "row": [1, 28000], "column": [28000, 1]}, ints={"size": [28000, 28000], "z": [0]}
    )
    ir = bench.make_ir(source)
    _, out = bench.run(pass_call("fold-constants"), ir=ir)
    assert (out / "model.onnx").stat().st_size < 1 << 20
    _, out = bench.run(pass_call("simplify"), ir=ir)
    assert (out / "model.onnx").stat().st_size < 1 << 20


FUSED = [
    (
        "(float[2,4] x) => (float[2,3] y) { a = MatMul(x, w)  y = Add(b, a) }",
        {"Gemm": 1},
    ),
    (
        "(float[1,4,6,6] x) => (float[1,3,6,6] y) { p = Pad(x, pads)  y = Conv(p, k) }",
        {"Conv": 1},
    ),
    (
        "(float[2,4] x) => (float[2,4] y) { a = Relu(x)  y = Clip(a, lo, hi) }",
        {"Clip": 1},
    ),
    (
        "(float[2,3,4] x) => (float[4,2,3] y) { a = Transpose<perm=[1,0,2]>(x)  y = Transpose<perm=[2,1,0]>(a) }",
        {"Transpose": 1},
    ),
    (
        "(float[2,3,4] x) => (float[24] y) { a = Reshape(x, s1)  y = Reshape(a, s2) }",
        {"Reshape": 1},
    ),
]
SCALARS = "<float lo = {-1.0}, float hi = {1.0}>"


@pytest.mark.parametrize(("body", "after"), FUSED)
def test_fused(try_text, body, after):
    body = body.replace(") {", f") {SCALARS} {{", 1)
    tried = try_text(
        "fuse",
        body,
        weights={"w": [4, 3], "b": [3], "k": [3, 4, 3, 3]},
        ints={"pads": [0, 0, 1, 1, 0, 0, 1, 1], "s1": [6, 4], "s2": [-1]},
    )
    assert tried.after == after
    assert tried.error < 1e-5


def test_gemm_only_where_the_offset_fits(try_text):
    body = "(float[2,4] x) => (float[5,2,3] y) { a = MatMul(x, w)  y = Add(b, a) }"
    tried = try_text("fuse", body, weights={"w": [4, 3], "b": [5, 1, 3]})
    assert tried.after == {"MatMul": 1, "Add": 1}


LAYOUTS = [
    # through elementwise operators and a weight along the channels
    (
        """(float[1,4,6,6] x) => (float[1,3,4,4] y) {
            a = Transpose<perm=[0,2,3,1]>(x)  b = Add(a, c4)  r = Relu(b)  t = Transpose<perm=[0,3,1,2]>(r)
            y = Conv(t, k)
        }""",
        {"Add": 1, "Relu": 1, "Conv": 1},
    ),
    # both branches of a residual block, and a softmax over the channels
    (
        """(float[1,4,6,6] x, float[1,4,6,6] z) => (float[1,4,6,6] y) {
            a = Transpose<perm=[0,2,3,1]>(x)  b = Transpose<perm=[0,2,3,1]>(z)  s = Add(a, b)
            m = Softmax<axis=-1>(s)  y = Transpose<perm=[0,3,1,2]>(m)
        }""",
        {"Add": 1, "Softmax": 1},
    ),
    # along the axis of a Concat with a stored part
    (
        """(float[2,3,4] x) => (float[3,2,7] y) {
            a = Transpose<perm=[2,0,1]>(x)  c = Concat<axis=0>(a, part)  y = Transpose<perm=[2,1,0]>(c)
        }""",
        {"Transpose": 1, "Concat": 1},  # not inverse: they become one
    ),
    (
        """(float[2,3,4] x) => (float[2,3,7] y) {
            a = Transpose<perm=[2,0,1]>(x)  c = Concat<axis=0>(a, part)  y = Transpose<perm=[1,2,0]>(c)
        }""",
        {"Concat": 1},
    ),
    # from an input straight to an output
    (
        "(float[2,3] x) => (float[2,3] y) { a = Transpose(x)  y = Transpose(a) }",
        {"Identity": 1},
    ),
    # one branch is no Transpose: it gets one, and two go
    (
        """(float[2,3] x, float[3,2] z) => (float[2,3] y) {
            a = Transpose(x)  b = Add(a, z)  y = Transpose(b)
        }""",
        {"Transpose": 1, "Add": 1},
    ),
]


@pytest.mark.parametrize(("body", "after"), LAYOUTS)
def test_layout(try_text, body, after):
    tried = try_text("layout", body, weights={"c4": [4], "k": [3, 4, 3, 3], "part": [3, 2, 3]})
    assert dict(tried.after) == after
    assert tried.error < 1e-6


def test_simplify_that_takes_too_long_leaves_the_model(try_pass, bench, shared):
    ir = bench.make_ir(shared / "models/ultraface", "version-RFB-320.onnx")
    tried = try_pass("simplify", ir, seconds=0.01)
    assert not tried.value["modified"]
    assert "0.01 seconds" in tried.value["reason"]
