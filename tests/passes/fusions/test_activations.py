"""Activations: the ways in which they are written, and what only looks like them."""

from __future__ import annotations

import pytest

HEAD = "(float[2,4,5,5] x) => (float[2,4,5,5] y)"
NUMBERS = """<float zero = {0.0}, float half = {0.5}, float one = {1.0}, float three = {3.0}, float six = {6.0},
    float five = {5.0}, float sixth = {0.16666667}, float fifth = {0.2}, float minus = {-0.2}, float two = {2.0},
    float less = {-0.6}, float more = {0.6}, float seven = {7.0}>"""

# name: (nodes, opset, operators after it)
FOUND = {
    "hswish, pytorch": (
        "a = Add(x, three)  c = Clip(a, zero, six)  d = Div(c, six)  y = Mul(x, d)",
        14,
        {"HardSwish": 1},
    ),
    "hswish, tf": ("a = Add(three, x)  c = Clip(a, zero, six)  m = Mul(x, c)  y = Mul(m, sixth)", 14, {"HardSwish": 1}),
    "hswish, gate": ("c = HardSigmoid<alpha = 0.16666667, beta = 0.5>(x)  y = Mul(c, x)", 14, {"HardSwish": 1}),
    "hswish, scaled": (
        "a = Mul(x, sixth)  b = Add(a, half)  c = Clip(b, zero, one)  y = Mul(c, x)",
        14,
        {"HardSwish": 1},
    ),
    "hswish below 14": (
        "a = Add(x, three)  c = Clip(a, zero, six)  d = Div(c, six)  y = Mul(x, d)",
        13,
        {"HardSigmoid": 1, "Mul": 1},
    ),
    "hsigmoid, pytorch": ("a = Add(x, three)  c = Clip(a, zero, six)  y = Div(c, six)", 18, {"HardSigmoid": 1}),
    "hsigmoid, keras": ("a = Mul(x, fifth)  b = Add(a, half)  y = Clip(b, zero, one)", 18, {"HardSigmoid": 1}),
    "hsigmoid, old Clip": (
        "a = Mul(x, fifth)  b = Add(a, half)  y = Clip<min = 0.0, max = 1.0>(b)",
        9,
        {"HardSigmoid": 1},
    ),
    "mish": ("s = Softplus(x)  t = Tanh(s)  y = Mul(t, x)", 18, {"Mish": 1}),
    "leaky, tf": ("a = Mul(fifth, x)  y = Max(a, x)", 18, {"LeakyRelu": 1}),
    "leaky, where": ("c = Greater(x, zero)  a = Mul(x, fifth)  y = Where(c, x, a)", 18, {"LeakyRelu": 1}),
    "leaky, halves": ("p = Relu(x)  n = Neg(x)  q = Relu(n)  m = Mul(q, fifth)  y = Sub(p, m)", 18, {"LeakyRelu": 1}),
    "leaky, absolute": (
        "a = Abs(x)  b = Mul(a, fifth)  c = Mul(x, half)  y = Add(b, c)",
        18,
        {"Abs": 1, "Mul": 2, "Add": 1},
    ),
    "leaky, mxnet": (
        "a = Abs(x)  b = Mul(a, two)  c = Mul(x, three)  d = Add(b, c)  y = Div(d, five)",
        18,
        {"LeakyRelu": 1},
    ),
    "relu6": ("r = Relu(x)  y = Min(six, r)", 18, {"Clip": 1}),
    "relu6, old Clip": ("r = Relu(x)  y = Min(r, six)", 9, {"Clip": 1}),
    "prelu of a number": ("y = PRelu(x, fifth)", 18, {"LeakyRelu": 1}),
    "prelu, keras": ("p = Relu(x)  n = Neg(x)  q = Relu(n)  m = Mul(slope, q)  y = Add(p, m)", 18, {"PRelu": 1}),
}
LEFT = {
    "another bound": ("a = Add(x, three)  c = Clip(a, zero, seven)  d = Div(c, six)  y = Mul(x, d)", 18),
    "two factors": ("a = Add(x, two)  c = Clip(a, zero, six)  m = Mul(x, c)  y = Mul(m, x)", 18),
    "swish": ("s = Sigmoid(x)  y = Mul(x, s)", 24),
    "a cap below zero": ("r = Relu(x)  y = Min(r, minus)", 18),
    "another gate": ("a = Add(x, one)  s = Sigmoid(a)  y = Mul(x, s)", 24),
    "clip of x": ("y = Clip(x, zero, one)", 18),
    "steeper than one": ("a = Mul(two, x)  y = Max(a, x)", 18),
    "below zero": ("a = Mul(minus, x)  y = Max(a, x)", 18),
    "another threshold": ("c = Greater(x, one)  a = Mul(x, fifth)  y = Where(c, x, a)", 18),
    "per channel": ("y = PRelu(x, slope)", 18),
    "wider than x": ("a = Add(wide, three)  y = Mul(x, a)", 18),
    "mish below 18": ("s = Softplus(x)  t = Tanh(s)  y = Mul(t, x)", 17),
}


@pytest.fixture(scope="module")
def tried(try_spellings):
    given = {**{name: each[:2] for name, each in FOUND.items()}, **LEFT}
    bodies = {name: (f"{HEAD} {NUMBERS} {{ {nodes} }}", {"opset": opset}) for name, (nodes, opset) in given.items()}
    return try_spellings("fuse-activations", bodies, opset=18, weights={"slope": [4, 1, 1], "wide": [2, 4, 5, 5]})


@pytest.mark.parametrize("name", FOUND)
def test_found(tried, name):
    assert tried[name]["operators"] == FOUND[name][2]


@pytest.mark.parametrize("name", LEFT)
def test_left(tried, name):
    assert tried[name]["operators"] == tried[name]["before"]
