"""Identities, common subexpressions and dead code, each by itself."""

from __future__ import annotations

import pytest

CASES = {
    "identities": "(float[2] x) => (float[2] y) { a = Identity(x)  b = Identity(a)  c = Relu(b)  y = Identity(c) }",
    "subexpressions": """(float[2] x) => (float[2] y) { a = Sigmoid(x)  b = Sigmoid(x)  c = Elu<alpha=0.5>(x)
        d = Elu<alpha=0.4>(x)  e = Add(a, b)  f = Mul(c, d)  y = Sub(e, f) }""",
    "dead-code": "(float[2] x) => (float[2] y) { a = Tanh(x)  b = Sigmoid(a)  y = Relu(x) }",
}
LEFT = {
    "identities": {"Relu": 1},
    "subexpressions": {"Sigmoid": 1, "Elu": 2, "Add": 1, "Mul": 1, "Sub": 1},
    "dead-code": {"Relu": 1},
}


@pytest.mark.parametrize("name", CASES)
def test_each_does_its_own(try_spellings, name):
    assert try_spellings(name, {"it": CASES[name]}, opset=18)["it"]["operators"] == LEFT[name]


def test_subexpressions(try_spellings):
    bodies = {
        "two outputs": """(float[4] x) => (float[2] y) { a, b = Split<num_outputs=2>(x)  c, d = Split<num_outputs=2>(x)
            s = Add(a, d)  t = Mul(b, c)  y = Add(s, t) }""",
        "both are outputs": "(float[4] x) => (float[4] y, float[4] z) { y = Neg(x)  z = Neg(x) }",
        "in a branch": """(bool c, float[2] x) => (float[2] y) { y = If (c) <
            then_branch = t () => (float[2] p) { a = Exp(x)  b = Exp(x)  p = Mul(a, b) },
            else_branch = e () => (float[2] q) { q = Exp(x) }> }""",
        "chains": """(float[2] x) => (float[2] y) { a = Exp(x)  b = Neg(a)  c = Exp(x)  d = Neg(c)  y = Add(b, d) }""",
    }
    tried = try_spellings("subexpressions", bodies, opset=18)
    assert tried["two outputs"]["operators"] == {"Split": 1, "Add": 2, "Mul": 1}
    assert tried["both are outputs"]["operators"] == {"Neg": 1, "Identity": 1}
    assert tried["in a branch"]["operators"] == {"If": 1, "Exp": 2, "Mul": 1}
    assert tried["chains"]["operators"] == {"Exp": 1, "Neg": 1, "Add": 1}


def test_what_is_random_is_not_shared(bench):
    from dlpipe.ir.calls import describe_call
    from dlpipe.passes.registry import pass_call

    text = """<ir_version: 8, opset_import: ["" : 18]> g (float[100] x) => (float[100] y) {
        a = Bernoulli(x)  b = Bernoulli(x)  c = RandomNormalLike(x)  d = RandomNormalLike(x)
        e = Sub(a, b)  f = Sub(c, d)  y = Add(e, f) }"""
    ir = bench.make_ir(bench.build(text))
    value, out = bench.run(pass_call("subexpressions"), ir=ir)
    assert not value["modified"]
    assert bench.run(describe_call(), ir=out)[0]["operators"]["Bernoulli"] == 2
