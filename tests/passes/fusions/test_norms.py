"""Layer norm and RMS norm: the ways in which they are written, and what only looks like them."""

from __future__ import annotations

import pytest

HEAD = "(float[N,S,8] x) => (float[N,S,8] y)"
NUMBERS = """<float two = {2.0}, float eps = {0.00001}, float half = {0.5}, float minus = {-0.5}, float one = {1.0},
    int64[1] last = {-1}, int64[1] second = {2}, int64[2] both = {1, 2}, int64[1] middle = {1}>"""
START = "m = ReduceMean(x, last)  d = Sub(x, m)  q = Pow(d, two)  v = ReduceMean(q, last)  e = Add(v, eps)  "
MOMENTS = (
    "m = ReduceMean(x, last)  d = Sub(x, m)  q = Mul(d, d)  v = ReduceMean(q, last)  e = Add(eps, v)  s = Sqrt(e)  "
)
SQUARE = "q = Mul(x, x)  v = ReduceMean(q, last)  e = Add(v, eps)  s = Sqrt(e)  "

LAYER = {
    "pytorch": START + "s = Sqrt(e)  n = Div(d, s)  k = Mul(n, g)  y = Add(k, b)",
    "no bias": START + "s = Sqrt(e)  n = Div(d, s)  y = Mul(g, n)",
    "no scale": START + "s = Sqrt(e)  n = Div(d, s)  y = Add(n, b)",
    "plain": START + "s = Sqrt(e)  y = Div(d, s)",
    "reciprocal": MOMENTS + "r = Reciprocal(s)  n = Mul(d, r)  k = Mul(n, g)  y = Add(b, k)",
    "power": START + "r = Pow(e, minus)  n = Mul(d, r)  k = Mul(n, g)  y = Add(k, b)",
    "power of a half": START + "s = Pow(e, half)  n = Div(d, s)  k = Mul(n, g)  y = Add(k, b)",
    "one by": MOMENTS + "r = Div(one, s)  n = Mul(d, r)  k = Mul(n, g)  y = Add(k, b)",
    "scale first": MOMENTS + "r = Reciprocal(s)  h = Mul(r, g)  k = Mul(d, h)  y = Add(k, b)",
    "tensorflow": MOMENTS
    + "r = Reciprocal(s)  h = Mul(r, g)  a = Mul(x, h)  c = Mul(m, h)  f = Sub(b, c)  y = Add(a, f)",
    "keras 3": MOMENTS
    + "r = Reciprocal(s)  h = Mul(r, g)  w = Neg(m)  c = Mul(w, h)  f = Add(c, b)  a = Mul(x, h)  y = Add(a, f)",
    "a scale of one number": START + "s = Sqrt(e)  n = Div(d, s)  y = Mul(n, half)",
    "the axis from the front": START.replace("last", "second")
    + "s = Sqrt(e)  n = Div(d, s)  k = Mul(n, g)  y = Add(k, b)",
}
RMS = {
    "llama": SQUARE + "r = Reciprocal(s)  n = Mul(x, r)  y = Mul(g, n)",
    "div": SQUARE + "n = Div(x, s)  y = Mul(n, g)",
    "t5": SQUARE.replace("Mul(x, x)", "Pow(x, two)") + "r = Div(one, s)  n = Mul(x, r)  y = Mul(n, g)",
    "plain rms": SQUARE + "y = Div(x, s)",
}
PARTLY = {  # the operators after it
    "a scale for every place": (
        START + "s = Sqrt(e)  n = Div(d, s)  y = Mul(n, places)",
        {"LayerNormalization": 1, "Mul": 1},
    ),
    "a residual": (
        START + "s = Sqrt(e)  n = Div(d, s)  k = Mul(n, g)  y = Add(k, x)",
        {"LayerNormalization": 1, "Add": 1},
    ),
    "the mean of something else": (
        START.replace("ReduceMean(x, last)", "ReduceMean(x, middle)") + "s = Sqrt(e)  y = Div(d, s)",
        {"ReduceMean": 1, "Sub": 1, "RMSNormalization": 1},
    ),
    "an offset for every place": (
        START + "s = Sqrt(e)  n = Div(d, s)  k = Mul(n, g)  y = Add(k, places)",
        {"LayerNormalization": 1, "Add": 1},
    ),
}
LEFT = {
    "the middle axis": START.replace("last", "middle") + "s = Sqrt(e)  y = Div(d, s)",
    "another axis": START.replace("ReduceMean(q, last)", "ReduceMean(q, middle)") + "s = Sqrt(e)  y = Div(d, s)",
    "no root": START + "y = Div(d, e)",
    "a cube": START.replace("Pow(d, two)", "Mul(d, x)") + "s = Sqrt(e)  y = Div(d, s)",
    "twice the mean": MOMENTS + "r = Reciprocal(s)  a = Mul(x, r)  c = Mul(m, r)  f = Add(c, c)  y = Sub(a, f)",
}
TWO_AXES = f"""(float[N,4,8] x) => (float[N,4,8] y) {NUMBERS} {{
    {START.replace("last", "both")} s = Sqrt(e)  n = Div(d, s)  k = Mul(n, planes)  y = Add(k, planes) }}"""
FREE = f"(float[N,S,K] x) => (float[N,S,K] y) {NUMBERS} {{ {START} s = Sqrt(e)  y = Div(d, s) }}"
READ = f"(float[N,S,8] x) => (float[N,S,8] y, float[N,S,1] v) {NUMBERS} {{ {START} s = Sqrt(e)  y = Div(d, s) }}"
DOUBLE = f"""(double[N,S,8] x) => (double[N,S,8] y) {NUMBERS.replace("float ", "double ")} {{
    {START} s = Sqrt(e)  y = Div(d, s) }}"""
OLD = """(float[N,S,8] x) => (float[N,S,8] y) <float two = {2.0}, float eps = {0.00001}> {
    m = ReduceMean<axes=[-1]>(x)  d = Sub(x, m)  q = Pow(d, two)  v = ReduceMean<axes=[2]>(q)  e = Add(v, eps)
    s = Sqrt(e)  n = Div(d, s)  k = Mul(n, g)  y = Add(k, b) }"""


@pytest.fixture(scope="module")
def tried(try_spellings):
    nodes = {**LAYER, **RMS, **{name: each[0] for name, each in PARTLY.items()}, **LEFT}
    bodies: dict = {name: f"{HEAD} {NUMBERS} {{ {each} }}" for name, each in nodes.items()}
    bodies |= {
        "two axes": TWO_AXES,
        "free": FREE,
        "read": READ,
        "double": DOUBLE,
        "axes as attributes": (OLD, {"opset": 17}),
    }
    bodies["rms below opset 23"] = (bodies["llama"], {"opset": 22})
    weights = {"g": [8], "b": [1, 8], "places": [3, 8], "planes": [4, 8]}
    return try_spellings("fuse-norms", bodies, opset=23, weights=weights)


@pytest.mark.parametrize("name", [*LAYER, "two axes", "double", "axes as attributes"])
def test_layer_norm(tried, name):
    assert tried[name]["operators"] == {"LayerNormalization": 1}


@pytest.mark.parametrize("name", RMS)
def test_rms_norm(tried, name):
    assert tried[name]["operators"] == {"RMSNormalization": 1}


@pytest.mark.parametrize("name", PARTLY)
def test_what_does_not_fit_stays(tried, name):
    assert tried[name]["operators"] == PARTLY[name][1]


@pytest.mark.parametrize("name", [*LEFT, "free", "read", "rms below opset 23"])
def test_left(tried, name):
    assert tried[name]["operators"] == tried[name]["before"]
