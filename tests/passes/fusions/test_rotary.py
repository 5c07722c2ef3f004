"""Rotary embedding: how models write it, and what only looks like it. Two heads of width 4, 3 positions."""

from __future__ import annotations

import pytest

HEAD = "(float[2,2,3,4] x) => (float[2,2,3,4] y)"
# Tables whose halves are alike ("cos", "sin"), or whose neighbours are ("ecos", "esin").
ROW = "0.8, -0.6, 0.8, -0.6, 0.1, 0.2, 0.1, 0.2, 1.0, 0.5, 1.0, 0.5"
EVEN = "0.8, 0.8, -0.6, -0.6, 0.1, 0.1, 0.2, 0.2, 1.0, 1.0, 0.5, 0.5"
NUMBERS = f"""<float[1,1,3,4] cos = {{{ROW}}}, float[3,4] sin = {{{ROW}}}, float[1,1,3,4] ecos = {{{EVEN}}},
    float[1,1,3,4] esin = {{{EVEN}}}, int64[1] zero = {{0}}, int64[1] one = {{1}}, int64[1] half = {{2}},
    int64[1] end = {{9223372036854775807}}, int64[1] last = {{3}}, int64[1] two = {{2}}, int64[1] minus = {{-1}},
    float negative = {{-1.0}}, float number = {{1.0}}, int64[4] shape = {{2, 2, 3, 4}}>"""
HALVES = "a = Slice(x, zero, half, last, one)  b = Slice(x, half, end, last, one)  "
JOIN = "c = Mul(x, cos)  s = Mul(r, sin)  y = Add(c, s)"
NEIGHBOURS = """a = Slice(x, zero, end, last, two)  b = Slice(x, one, end, last, two)  n = Neg(b)
    u = Unsqueeze(n, minus)  w = Unsqueeze(a, minus)  k = Concat<axis=-1>(u, w)  r = Reshape(k, shape)
    c = Mul(x, ecos)  s = Mul(r, esin)  y = Add(c, s)"""
FOUND = {
    "llama": HALVES + "n = Neg(b)  r = Concat<axis=-1>(n, a)  " + JOIN,
    "times minus one": HALVES + "n = Mul(b, negative)  r = Concat<axis=3>(n, a)  " + JOIN,
    "the other way": HALVES + "n = Neg(b)  r = Concat<axis=-1>(n, a)  c = Mul(cos, x)  s = Mul(sin, r)  y = Add(s, c)",
    "neighbours": NEIGHBOURS,
}
LEFT = {
    "turned back": HALVES + "n = Neg(a)  r = Concat<axis=-1>(b, n)  " + JOIN,
    "not turned": HALVES + "r = Concat<axis=-1>(b, a)  " + JOIN,
    "another table": NEIGHBOURS.replace("ecos", "cos"),
    "halves that are read": HALVES
    + "n = Neg(b)  r = Concat<axis=-1>(n, a)  c = Mul(x, cos)  s = Mul(r, sin)  z = Add(c, s)"
    "  m = ReduceMax(n)  y = Add(z, m)",
}
COMPUTED = f"""(float[N,2,S,4] x, float[N,S,2] angles) => (float[N,2,S,4] y) {NUMBERS} {{
    d = Concat<axis=-1>(angles, angles)  c1 = Cos(d)  s1 = Sin(d)  c2 = Mul(c1, number)  s2 = Mul(s1, number)
    c3 = Unsqueeze(c2, one)  s3 = Unsqueeze(s2, one)  {HALVES}  n = Neg(b)  r = Concat<axis=-1>(n, a)
    c = Mul(x, c3)  s = Mul(r, s3)  y = Add(c, s) }}"""


@pytest.fixture(scope="module")
def tried(try_spellings):
    bodies: dict = {name: f"{HEAD} {NUMBERS} {{ {nodes} }}" for name, nodes in {**FOUND, **LEFT}.items()}
    bodies |= {"computed": COMPUTED, "one for all": COMPUTED.replace("float[N,S,2]", "float[1,S,2]")}
    bodies["below opset 23"] = (bodies["llama"], {"opset": 22})
    return try_spellings("fuse-rotary", bodies, opset=23)


@pytest.mark.parametrize("name", FOUND)
def test_found(tried, name):
    assert tried[name]["operators"] == {"RotaryEmbedding": 1}


def test_tables_that_are_computed(tried):
    assert tried["computed"]["operators"] == {"Cos": 1, "Sin": 1, "RotaryEmbedding": 1}


@pytest.mark.parametrize("name", [*LEFT, "below opset 23", "one for all"])
def test_left(tried, name):
    assert tried[name]["operators"] == tried[name]["before"]
