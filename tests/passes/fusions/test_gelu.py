"""GELU: the ways in which it is written, and what only looks like it."""

from __future__ import annotations

import pytest

HEAD = "(float[N,S,8] x) => (float[N,S,8] y)"
NUMBERS = """<float half = {0.5}, float one = {1.0}, float two = {2.0}, float three = {3.0}, float root2 = {1.4142135},
    float inverse = {0.70710677}, float cube = {0.044715}, float pi = {0.79788458}, float quick = {1.702},
    float inner = {0.0356774}, float[1] half1 = {0.5}, float[1,1,1,1] half4 = {0.5}>"""


def body(nodes: str) -> str:
    return f"{HEAD} {NUMBERS} {{ {nodes} }}"


NONE = {
    "pytorch, TorchScript": "a = Div(x, root2)  e = Erf(a)  b = Add(e, one)  c = Mul(x, b)  y = Mul(c, half)",
    "pytorch, dynamo": "a = Div(x, root2)  e = Erf(a)  b = Add(e, one)  c = Mul(half, x)  y = Mul(c, b)",
    "tensorflow": "a = Mul(inverse, x)  e = Erf(a)  b = Add(one, e)  c = Mul(b, half)  y = Mul(x, c)",
    "halved twice": "h = Mul(x, half)  a = Mul(x, inverse)  e = Erf(a)  c = Mul(h, e)  y = Add(c, h)",
    "divided": "a = Div(x, root2)  e = Erf(a)  b = Add(e, one)  c = Mul(b, x)  y = Div(c, two)",
    "behind an offset": """k = Add(x, quick)  a = Div(k, root2)  e = Erf(a)  b = Add(e, one)  c = Mul(k, b)
        y = Mul(c, half1)""",
}
TANH = {
    "paper": """q = Pow(x, three)  a = Mul(cube, q)  b = Add(x, a)  c = Mul(pi, b)  t = Tanh(c)  d = Add(one, t)
        h = Mul(half, x)  y = Mul(h, d)""",
    "squares": """q = Mul(x, x)  r = Mul(q, x)  a = Mul(r, cube)  b = Add(a, x)  c = Mul(b, pi)  t = Tanh(c)
        d = Add(t, one)  e = Mul(d, half)  y = Mul(e, x)""",
    "factored": """q = Mul(x, x)  a = Mul(q, cube)  b = Add(a, one)  k = Mul(x, b)  c = Mul(k, pi)  t = Tanh(c)
        d = Add(t, one)  e = Mul(d, x)  y = Mul(e, half)""",
    "multiplied out": """q = Pow(x, three)  a = Mul(q, inner)  k = Mul(x, pi)  c = Add(a, k)  t = Tanh(c)
        d = Add(t, one)  e = Mul(d, x)  y = Mul(e, half)""",
}
OTHERS = {
    "one is two": "a = Div(x, root2)  e = Erf(a)  b = Add(e, two)  c = Mul(x, b)  y = Mul(c, half)",
    "another root": "a = Mul(x, quick)  e = Erf(a)  b = Add(e, one)  c = Mul(x, b)  y = Mul(c, half)",
    "another factor": "a = Div(x, root2)  e = Erf(a)  b = Add(e, one)  c = Mul(a, b)  y = Mul(c, half)",
    "tanh of x": "t = Tanh(x)  b = Add(t, one)  c = Mul(x, b)  y = Mul(c, half)",
    "sigmoid": "a = Mul(x, quick)  s = Sigmoid(a)  y = Mul(x, s)",
    "a sum that is no GELU": "a = Div(x, root2)  e = Erf(a)  b = Add(e, x)  c = Mul(x, b)  y = Mul(c, half)",
}
READ = f"""(float[N,S,8] x) => (float[N,S,8] y, float[N,S,8] b) {NUMBERS} {{
    a = Div(x, root2)  e = Erf(a)  b = Add(e, one)  c = Mul(x, b)  y = Mul(c, half) }}"""
RANK = f"""(float[N,S,8] x) => (float[1,N,S,8] y) {NUMBERS} {{
    a = Div(x, root2)  e = Erf(a)  b = Add(e, one)  c = Mul(x, b)  y = Mul(c, half4) }}"""
INSIDE = f"""(float[N,S,8] x, bool yes) => (float[N,S,8] y) {NUMBERS} {{
    y = If<then_branch = t () => (float[N,S,8] p) {{ {NONE["tensorflow"].replace("y =", "p =")} }},
           else_branch = e () => (float[N,S,8] q) {{ q = Neg(x) }}>(yes) }}"""


@pytest.fixture(scope="module")
def tried(try_spellings):
    bodies = {name: body(nodes) for name, nodes in {**NONE, **TANH, **OTHERS}.items()}
    bodies["below opset 20"] = (body(NONE["tensorflow"]), {"opset": 19})
    bodies["double"] = body(TANH["paper"]).replace("float ", "double ").replace("float[", "double[")
    return try_spellings("fuse-gelu", {**bodies, "read": READ, "rank": RANK, "inside": INSIDE}, opset=20)


@pytest.mark.parametrize("name", [*NONE, *TANH, "double"])
def test_found(tried, name):
    kept = {"Add": 1} if name == "behind an offset" else {}
    assert tried[name]["operators"] == {"Gelu": 1, **kept}
    assert "became one Gelu" in tried[name]["changes"][0]


@pytest.mark.parametrize("name", [*OTHERS, "below opset 20", "read", "rank"])
def test_left(tried, name):
    assert tried[name]["operators"] == tried[name]["before"]


def test_inside_branches(tried):
    assert tried["inside"]["operators"] == {"If": 1, "Gelu": 1, "Neg": 1}
