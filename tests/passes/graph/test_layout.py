"""Regions that move to the other side of Transposes."""

from __future__ import annotations

import pytest

NHWC, NCHW = "Transpose<perm=[0,2,3,1]>", "Transpose<perm=[0,3,1,2]>"
CASES = {
    # name: (body, Transposes that are left)
    "a value that is read twice": (
        f"""(float[1,4,6,6] x) => (float[1,4,6,6] y) {{ a = {NHWC}(x)  s = Sigmoid(a)
        m = Mul(a, s)  y = {NCHW}(m) }}""",
        0,
    ),
    "reductions": (
        f"""(float[1,4,6,6] x) => (float[1,4,1,1] y) {{ a = {NHWC}(x)  m = ReduceMean(a, hw)
        b = ReduceMax(m, minus3)  y = {NCHW}(b) }}""",
        0,
    ),
    "pad, slice, tile, expand": (
        f"""(float[1,4,6,6] x) => (float[1,8,7,4] y) {{ a = {NHWC}(x)  p = Pad(a, pads)  s = Slice(p, one, five, two)
        t = Tile(s, tiles)  e = Expand(t, full)  y = {NCHW}(e) }}""",
        0,
    ),
    "split and concat": (
        f"""(float[1,4,6,6] x) => (float[1,4,6,6] y) {{ a = {NHWC}(x)  b, c = Split<axis=3, num_outputs=2>(a)
        r = Relu(b)  s = Sigmoid(c)  d = Concat<axis=-1>(s, r)  y = {NCHW}(d) }}""",
        0,
    ),
    "slopes of each channel": (
        f"""(float[1,4,6,6] x) => (float[1,4,6,6] y) {{ a = {NHWC}(x)  r = PRelu(a, c4)  y = {NCHW}(r) }}""",
        0,
    ),
    "resize to channels first": (
        f"""(float[1,4,6,6] x) => (float[1,4,12,12] y) {{ a = {NHWC}(x)
        r = Resize<mode="nearest">(a, , scales)  y = {NCHW}(r) }}""",
        0,
    ),
    "resize to channels last stays": (
        f"""(float[1,6,6,4] x) => (float[1,12,12,4] y) {{ a = {NCHW}(x)
        r = Resize<mode="linear">(a, , scales_first)  y = {NHWC}(r) }}""",
        2,
    ),
    "two ways out": (
        f"""(float[1,4,6,6] x) => (float[1,4,6,6] y, float[1,4,6,6] z) {{ a = {NHWC}(x)  r = Relu(a)
        y = {NCHW}(r)  s = Sigmoid(r)  z = {NCHW}(s) }}""",
        0,
    ),
    "one comes in plain": (
        f"""(float[1,4,6,6] x, float[1,6,6,4] w) => (float[1,4,6,6] y) {{ a = {NHWC}(x)
        m = Mul(a, w)  y = {NCHW}(m) }}""",
        1,
    ),
    "one goes out as it is": (
        f"""(float[1,4,6,6] x) => (float[1,4,6,6] y, float[1,6,6,4] r) {{ a = {NHWC}(x)
        r = Relu(a)  y = {NCHW}(r) }}""",
        1,
    ),
    "no gain": (
        f"""(float[1,4,6,6] x, float[1,6,6,4] w) => (float[1,6,6,4] y) {{ a = {NHWC}(x)  y = Mul(a, w) }}""",
        1,
    ),
    "another permutation below": (
        f"""(float[1,4,6,6] x) => (float[6,6,1,4] y) {{ a = {NHWC}(x)  r = Relu(a)
        y = Transpose<perm=[1,2,0,3]>(r) }}""",
        1,
    ),
    "below, one that becomes the opposite": (
        """(float[2,3,4] x) => (float[4,2,3] y, float[2,3,4] z) { a = Transpose<perm=[1,2,0]>(x)  r = Relu(a)
        y = Transpose<perm=[1,2,0]>(r)  z = Transpose<perm=[2,0,1]>(r) }""",
        1,
    ),
    "both parts go out as they are": (
        f"""(float[1,4,6,6] x, float[1,4,6,6] v) => (float[1,6,6,2] b, float[1,6,6,2] c, float[1,4,6,6] y,
        float[1,4,6,6] z) {{ a = {NHWC}(x)  e = {NHWC}(v)  s = Add(a, e)  b, c = Split<axis=3, num_outputs=2>(s)
        d = Concat<axis=3>(b, c)  y = {NCHW}(d)  f = Neg(d)  z = {NCHW}(f) }}""",
        2,
    ),
    "argmax": (
        f"""(float[1,4,6,6] x) => (int64[1,1,6,6] y) {{ a = {NHWC}(x)  m = ArgMax<axis=-1>(a)  y = {NCHW}(m) }}""",
        0,
    ),
    "a reduction that drops its axes stays": (
        f"""(float[1,4,6,6] x) => (float[4,1] y) {{ a = {NHWC}(x)  m = ReduceMean<keepdims=0>(a, hw)
        y = Transpose<perm=[1,0]>(m) }}""",
        2,
    ),
    "in a branch": (
        f"""(bool c, float[1,4,6,6] x) => (float[1,4,6,6] y) {{ y = If (c) <
        then_branch = t () => (float[1,4,6,6] p) {{ a = {NHWC}(x)  s = Sigmoid(a)  m = Mul(a, s)  p = {NCHW}(m) }},
        else_branch = e () => (float[1,4,6,6] q) {{ q = Neg(x) }}> }}""",
        0,
    ),
}
INTS = {
    "hw": [1, 2], "minus3": [-3], "pads": [0, 1, 0, 0, 0, 0, 0, 0], "one": [1], "five": [5], "two": [2],
    "tiles": [1, 1, 1, 2], "full": [1, 7, 4, 8],
}  # fmt: skip


@pytest.fixture(scope="module")
def tried(try_spellings):
    stored = "<float[4] scales = {1.0, 2.0, 2.0, 1.0}, float[4] scales_first = {1.0, 1.0, 2.0, 2.0}>"
    bodies = {name: body.replace(") {", f") {stored} {{", 1) for name, (body, _) in CASES.items()}
    return try_spellings("layout", bodies, opset=18, ints=INTS, weights={"c4": [4]})


@pytest.mark.parametrize("name", CASES)
def test_fewer_transposes(tried, name):
    assert tried[name]["operators"].get("Transpose", 0) == CASES[name][1], tried[name]


@pytest.mark.parametrize("name", CASES)
def test_nothing_else_is_lost(tried, name):
    before, after = (
        {op: n for op, n in tried[name][key].items() if op not in ("Transpose", "Identity")}
        for key in ("before", "operators")
    )
    assert before == after
