"""Chains of reshapes: which are one, which are none, and which must stay."""

from __future__ import annotations

import pytest

ONE = {  # a chain becomes one Reshape
    "reshape, unsqueeze, flatten": (
        "(float[2,3,4] x) => (float[1,24] y) { a = Reshape(x, s64)  b = Unsqueeze(a, axis0)  y = Flatten(b) }"
    ),
    "a transpose of ones before": (
        "(float[N,5,1,1] x) => (float[N,5] y) { a = Transpose<perm=[0,2,3,1]>(x)  y = Reshape(a, sm5) }"
    ),
    "a transpose of ones between": (
        """(float[2,1,6] x) => (float[3,4] y) { a = Squeeze(x, axis1)  b = Unsqueeze(a, axis0)
        t = Transpose<perm=[1,0,2]>(b)  y = Reshape(t, s34) }"""
    ),
    "the free dim stays where it is": ("(float[N,4,6] x) => (float[N,3,8] y) { a = Flatten(x)  y = Reshape(a, s038) }"),
    "the free dim is what is left": (
        "(float[N,4,6] x) => (float[1,M] y) { a = Reshape(x, sm)  y = Unsqueeze(a, axis0) }"
    ),
    "nested": """(bool c, float[2,3] x) => (float[6] y) { y = If (c) <
        then_branch = t () => (float[6] p) { a = Unsqueeze(x, axis0)  p = Reshape(a, sm) },
        else_branch = e () => (float[6] q) { r = Reshape(x, sm)  q = Neg(r) }> }""",
}
NONE = {  # nothing is left
    "there and back": """(float[N,8] x) => (float[N,8] y) { a = Unsqueeze(x, axis2)  b = Squeeze(a, axis2)
        y = Relu(b) }""",
    "to the same": "(float[N,8] x) => (float[N,8] y) { a = Reshape(x, sm8)  y = Relu(a) }",
    "flatten of a matrix": "(float[N,8] x) => (float[N,8] y) { a = Flatten(x)  y = Relu(a) }",
    "before an output": """(float[2,8] x) => (float[2,8] y) { r = Relu(x)  a = Unsqueeze(r, axis0)
        y = Squeeze(a, axis0) }""",
    "a transpose of ones": "(float[1,1,8] x) => (float[1,1,8] y) { r = Transpose<perm=[1,0,2]>(x)  y = Relu(r) }",
}
STAYS = {
    "read in between": """(float[2,3,4] x) => (float[24] y, float[6,4] a) {
        a = Reshape(x, s64)  y = Reshape(a, sm) }""",
    "a transpose that moves something": (
        "(float[2,3] x) => (float[6] y) { a = Transpose<perm=[1,0]>(x)  y = Reshape(a, sm) }"
    ),
    "two free dims that are shifted": (
        "(float[N,S,8] x) => (float[1,N,S,2,4] y) { a = Unsqueeze(x, axis0)  y = Reshape(a, s00024) }"
    ),
    # The output says N, and is twice as long as the input: what is not inferred is not believed.
    "a name that lies": ("(float[N,8] x) => (float[M,4] y) { y = Reshape(x, sm4) }"),
    "one reshape": "(float[2,3,4] x) => (float[24] y) { y = Reshape(x, sm) }",
    "of another domain": "(float[2,3] x) => (float[6] y) { a = Abs(x)  y = Reshape(a, sm) }",
}
INTS = {
    "s64": [6, 4], "s34": [3, 4], "sm": [-1], "sm5": [-1, 5], "sm8": [-1, 8], "sm4": [-1, 4], "s038": [0, 3, 8],
    "s00024": [0, 0, 0, 2, 4], "axis0": [0], "axis1": [1], "axis2": [2],
}  # fmt: skip


@pytest.fixture(scope="module")
def tried(try_spellings):
    return try_spellings("reshapes", {**ONE, **NONE, **STAYS}, opset=18, ints=INTS)


@pytest.mark.parametrize("name", ONE)
def test_a_chain_becomes_one_reshape(tried, name):
    left = {op: count for op, count in tried[name]["operators"].items() if op not in ("If", "Neg")}
    assert left == {"Reshape": 2 if name == "nested" else 1}
    assert len(tried[name]["changes"]) == 1


@pytest.mark.parametrize("name", NONE)
def test_nothing_is_left(tried, name):
    assert tried[name]["operators"] == {"Relu": 1}


@pytest.mark.parametrize("name", STAYS)
def test_what_must_stay(tried, name):
    assert tried[name]["operators"] == tried[name]["before"]
    assert tried[name]["changes"] == []


@pytest.mark.parametrize("opset", [7, 11, 13])
def test_axes_as_attributes(try_spellings, opset):
    axes = ["a = Unsqueeze<axes=[0]>(x)  b = Squeeze<axes=[0]>(a)", "a = Unsqueeze(x, axis0)  b = Squeeze(a, axis0)"]
    body = f"(float[N,8] x) => (float[N,8] y) {{ {axes[opset >= 13]}  y = Relu(b) }}"
    tried = try_spellings("reshapes", {"axes": body}, opset=opset, ints=INTS if opset >= 13 else {})
    assert tried["axes"]["operators"] == {"Relu": 1}


def test_from_an_input_to_an_output_a_name_stays(try_spellings):
    body = "(float[N,8] x) => (float[N,8] y) { a = Unsqueeze(x, axis2)  y = Squeeze(a, axis2) }"
    assert try_spellings("reshapes", {"all": body}, opset=18, ints=INTS)["all"]["operators"] == {"Identity": 1}
