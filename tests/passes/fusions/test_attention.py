"""Attention: the ways in which exporters write it, and what only looks like it. Two heads of width 4, 5 positions."""

from __future__ import annotations

import pytest

SIDE = "(float[N,5,8] q, float[N,6,8] k, float[N,6,8] v{}) => (float[N,5,8] y)"
HEADS = "(float[N,2,5,4] q, float[N,2,6,4] k, float[N,2,6,4] v{}) => (float[N,2,5,4] y)"
NUMBERS = """<float half = {0.5}, float root = {0.70710677}, float two = {2.0}, float zero = {0.0},
    float minus = {-1.0}, int64[4] heads = {0, 0, 2, 4}, int64[3] side = {0, 0, -1}, int64[1] pair = {2},
    int64[2] rows = {-1, 8}, int64[3] merged = {-1, 6, 4}, int64[4] turned = {-1, 2, 4, 6}, int64[1] one = {1},
    int64[4] queries = {-1, 5, 2, 4}, int64[4] keys = {-1, 6, 2, 4}, int64[3] flat = {-1, 5, 8},
    int64[4] twice = {0, 4, 6, 4}, int64[5] groups = {1, 1, 2, 1, 1}, int64[5] turns = {1, 2, 1, 1, 1}>"""
SPLIT = "".join(f"{x}1 = Reshape({x}, heads)  {x}2 = Transpose<perm=[0,2,1,3]>({x}1)  " for x in "qkv")
TURN = "kt = Transpose<perm=[0,1,3,2]>(k2)  "
MERGE = "t = Transpose<perm=[0,2,1,3]>(a)  y = Reshape(t, side)"
SOFTMAX = "p = Softmax<axis=-1>(s)  a = MatMul(p, v2)  "
PLAIN = "m = MatMul(q2, kt)  s = Mul(m, half)  "
GUARD = "w = Softmax<axis=-1>(s)  n = IsNaN(w)  p = Where(n, zero, w)  a = MatMul(p, v2)  "
# As PyTorch's exporter writes the keys for any number of dims before the last two.
MERGED_KEYS = """k3 = Reshape(k2, merged)  k4 = Transpose<perm=[0,2,1]>(k3)  k5 = Reshape(k4, turned)
    q3 = Mul(q2, root)  k6 = Mul(k5, root)  s = MatMul(q3, k6)  """

# name: (nodes, mask among the inputs, scale)
SIDE_BY_SIDE = {
    "bert": (SPLIT + TURN + PLAIN + SOFTMAX + MERGE, "", 0.5),
    "divided": (SPLIT + TURN + "m = MatMul(q2, kt)  s = Div(m, two)  " + SOFTMAX + MERGE, "", 0.5),
    "no scale": (SPLIT + TURN + "s = MatMul(q2, kt)  " + SOFTMAX + MERGE, "", 1.0),
    "scale of q": (SPLIT + TURN + "q3 = Mul(q2, half)  s = MatMul(q3, kt)  " + SOFTMAX + MERGE, "", 0.5),
    "scale before the heads": (
        "q0 = Div(q, two)  "
        + SPLIT.replace("Reshape(q,", "Reshape(q0,")
        + TURN
        + "s = MatMul(q2, kt)  "
        + SOFTMAX
        + MERGE,
        "",
        0.5,
    ),
    "pytorch": (SPLIT + MERGED_KEYS + GUARD + MERGE, "", 0.5),
    "turned at once": (
        SPLIT.replace("k2 = Transpose<perm=[0,2,1,3]>(k1)", "kt = Transpose<perm=[0,2,3,1]>(k1)")
        + PLAIN
        + SOFTMAX
        + MERGE,
        "",
        0.5,
    ),
    "masked": (
        SPLIT + TURN + PLAIN.replace("s =", "c =") + "s = Add(c, mask)  " + SOFTMAX + MERGE,
        ", float[5,6] mask",
        0.5,
    ),
    "a stored mask": (SPLIT + TURN + PLAIN.replace("s =", "c =") + "s = Add(full, c)  " + SOFTMAX + MERGE, "", 0.5),
    "targets with a free batch": (
        SPLIT.replace("Reshape(q, heads)", "Reshape(q, queries)").replace("heads)", "keys)")
        + TURN
        + PLAIN
        + SOFTMAX
        + MERGE.replace("side)", "flat)"),
        "",
        0.5,
    ),
    "to rows": (
        SPLIT + TURN + PLAIN + SOFTMAX + MERGE.replace("y = Reshape(t, side)", "r = Reshape(t, rows)  y = Tanh(r)"),
        "",
        0.5,
    ),
    "negative twice": (
        SPLIT + TURN + "q3 = Mul(q2, minus)  k3 = Mul(kt, minus)  s = MatMul(q3, k3)  " + SOFTMAX + MERGE,
        "",
        1.0,
    ),
}
FOUR = "kt = Transpose<perm=[0,1,3,2]>(k)  m = MatMul(q, kt)  c = Mul(m, half)  "
END = "p = Softmax<axis=-1>(s)  y = MatMul(p, v)"
GROUPS = """k3 = Unsqueeze(k, pair)  k4 = Expand(k3, groups)  k5 = Reshape(k4, twice)  v3 = Unsqueeze(v, pair)
    v4 = Expand(v3, groups)  v5 = Reshape(v4, twice)  kt = Transpose<perm=[0,1,3,2]>(k5)  m = MatMul(q, kt)
    s = Mul(m, half)  p = Softmax<axis=-1>(s)  y = MatMul(p, v5)"""
WITH_HEADS = {
    "heads": (FOUR.replace("c =", "s =") + END, ""),
    "a mask per head": (FOUR + "s = Add(c, mask)  " + END, ", float[N,2,5,6] mask"),
    "a mask of padding": (FOUR + "s = Add(mask, c)  " + END, ", float[N,1,1,6] mask"),
    "values that are scaled": (
        FOUR.replace("c =", "s =") + "v2 = Mul(v, two)  p = Softmax<axis=-1>(s)  y = MatMul(p, v2)",
        "",
    ),
    "a row of a mask": (FOUR + "s = Add(row, c)  " + END, ""),
}
LEFT = {
    "softmax over queries": (FOUR.replace("c =", "s =") + END.replace("axis=-1", "axis=2"), ""),
    "keys that are not turned": ("m = MatMul(q, k)  s = Mul(m, half)  " + END, ""),
    "a negative scale": (FOUR.replace("half", "minus").replace("c =", "s =") + END, ""),
    "the scale after the mask": (
        FOUR.replace("c = Mul(m, half)", "c = Add(m, mask)  s = Mul(c, half)  ") + END,
        ", float[5,6] mask",
    ),
    "scores that are read": (
        FOUR.replace("c =", "s =") + END.replace("y =", "a =") + "  b = ReduceMax(s)  y = Add(a, b)",
        "",
    ),
}


def body(head: str, nodes: str, mask: str = "") -> str:
    return f"{head.format(mask)} {NUMBERS} {{ {nodes} }}"


@pytest.fixture(scope="module")
def tried(try_spellings):
    bodies: dict = {name: body(SIDE, nodes, mask) for name, (nodes, mask, _) in SIDE_BY_SIDE.items()}
    bodies["pytorch"] = bodies["pytorch"].replace("[N,", "[2,")
    bodies["to rows"] = bodies["to rows"].replace("(float[N,5,8] y)", "(float[M,8] y)")
    bodies |= {name: body(HEADS, *each) for name, each in {**WITH_HEADS, **LEFT}.items()}
    bodies["keys that are not turned"] = body(
        HEADS.replace("float[N,2,6,4] k", "float[N,2,4,6] k"), *LEFT["keys that are not turned"]
    )
    groups = "(float[N,4,5,4] q, float[N,2,6,4] k, float[N,2,6,4] v) => (float[N,4,5,4] y)"
    bodies["groups"] = body(groups, GROUPS)
    bodies["groups in turn"] = body(groups, GROUPS.replace("pair)", "one)").replace("groups)", "turns)"))
    bodies["below opset 23"] = (bodies["bert"], {"opset": 22})
    operator = "a = Attention<scale = 0.25>(q2, k2, v2)  "
    bodies["an operator with heads"] = body(SIDE, SPLIT + operator + MERGE)
    bodies["no heads"] = """(float[N,5,4] q, float[N,6,4] k, float[N,6,3] v) => (float[N,5,3] y) {
        kt = Transpose<perm=[0,2,1]>(k)  s = MatMul(q, kt)  p = Softmax<axis=-1>(s)  y = MatMul(p, v) }"""
    return try_spellings("fuse-attention", bodies, opset=23, weights={"full": [2, 5, 6], "row": [6]})


@pytest.mark.parametrize("name", [*SIDE_BY_SIDE, "no heads", "an operator with heads"])
def test_with_the_heads_side_by_side(tried, name):
    rest = {"Reshape": 1, "Tanh": 1} if name == "to rows" else {}
    assert tried[name]["operators"] == {"Attention": 1, **rest}


@pytest.mark.parametrize("name", [*WITH_HEADS, "groups"])
def test_with_heads_of_their_own(tried, name):
    rest = {"a mask of padding": {"Expand": 1}, "values that are scaled": {"Mul": 1}}
    assert tried[name]["operators"] == {"Attention": 1, **rest.get(name, {})}


def test_heads_that_are_repeated_in_turn_are_no_groups(tried):
    assert tried["groups in turn"]["operators"] == {"Unsqueeze": 2, "Expand": 2, "Reshape": 2, "Attention": 1}


@pytest.mark.parametrize("name", [*LEFT, "below opset 23"])
def test_left(tried, name):
    assert tried[name]["operators"] == tried[name]["before"]
