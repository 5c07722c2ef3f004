"""Equal weights, in one graph and across nested ones."""

from __future__ import annotations

import pytest

IF = """(bool c, float[3,700] x) => (float[3,700] y) {stored} {{ {main}  y = If (c) <
    then_branch = t () => (float[3,700] p) <float[3,700] w = {{{w}}}> {{ p = Add({x}, w) }},
    else_branch = e () => (float[3,700] q) <float[3,700] w = {{{v}}}> {{ q = Mul({x}, w) }}> }}"""


def numbers(first: float, count: int = 2100) -> str:
    return ", ".join([str(first), *["1.5"] * (count - 1)])


BODY = "(float[2] x) => (float[2] y{outputs}) <{first} a = {a}, {second} b = {b}> {{ {nodes} }}"


def pair(nodes: str, a: str, b: str, first: str = "float[2]", second: str = "float[2]", outputs: str = "") -> str:
    return BODY.format(first=first, second=second, a=f"{{{a}}}", b=f"{{{b}}}", nodes=nodes, outputs=outputs)


CASES = {
    "twice": pair("s = Add(x, a)  y = Mul(s, b)", "1.0, 2.0", "1.0, 2.0"),
    "of another shape": pair(
        "s = Add(x, a)  t = Mul(s, b)  y = ReduceSum<keepdims=0>(t, zero)", "1.0, 2.0", "1.0, 2.0", second="float[1,2]"
    ),
    "of another type": pair("s = Cast<to=1>(a)  t = Add(s, x)  y = Sub(t, b)", "0, 0", "0.0, 0.0", first="int32[2]"),
    "zeros of both signs": pair("s = Add(x, a)  y = Div(b, s)", "0.0, 1.0", "-0.0, 1.0"),
    "text": pair(
        "k = Cast<to=8>(x)  s = Equal(k, a)  t = Equal(k, b)  u = And(s, t)  f = Cast<to=1>(u)  y = Add(x, f)",
        '"yes"',
        '"yes"',
        first="string[1]",
        second="string[1]",
    ),
    "as an output": pair("y = Add(x, a)", "1.0, 2.0", "1.0, 2.0", outputs=", float[2] b"),
    "outside and inside": IF.format(
        main="z = Add(x, big)", x="z", w=numbers(1.0), v=numbers(2.0), stored=f"<float[3,700] big = {{{numbers(1.0)}}}>"
    ),
    "in two branches": IF.format(main="", x="x", w=numbers(1.0), v=numbers(1.0), stored=""),
}
GONE = {"twice": 1, "text": 1, "outside and inside": 1, "in two branches": 2}


@pytest.fixture(scope="module")
def tried(try_spellings):
    return try_spellings("dedupe-weights", CASES, opset=19, ints={"zero": [0]})


@pytest.mark.parametrize("name", CASES)
def test_equal_weights_are_stored_once(tried, name):
    assert len(tried[name]["changes"]) == GONE.get(name, 0)
    assert tried[name]["error"] == 0
    assert tried[name]["operators"] == tried[name]["before"]


def test_weights_that_differ_at_their_end_only(try_spellings):
    body = """(float[2] x) => (float[20000] y) { s = Add(a, b)  t = Sub(s, c)  f = Cast<to=1>(t)  m = ReduceMax(x)
        y = Add(f, m) }"""
    same, other = [7] * 20000, [7] * 19999 + [8]
    tried = try_spellings("dedupe-weights", {"it": body}, opset=18, ints={"a": same, "b": other, "c": same})
    assert tried["it"]["changes"] == ["c: the same as a"]


def test_weights_in_a_file_of_their_own(bench):
    """Read in blocks, merged by place, and the file is written anew once little of it lives."""
    from dlpipe.contracts.call import Call
    from dlpipe.passes.registry import pass_call
    from tests.passes.test_large import MAKER, sizes

    made = bench.run(Call("core", MAKER, "make", {"gigabytes": 0.5, "scaled": 0, "distinct": 2}))[1]
    value, out = bench.run(pass_call("dedupe-weights"), ir=made)
    assert sum(change.startswith("w") for change in value["changes"]) == 6
    assert sizes(out) == {}
    assert (out / "model.onnx").stat().st_size < 129 << 20
    samples = bench.samples(made, 1)
    assert (bench.outputs(made, samples)["y"] == bench.outputs(out, samples)["y"]).all()
