"""Outputs keep values of their own, in nested graphs too; sequences keep their types."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("name", ["clean", "fuse"])
@pytest.mark.parametrize(
    "branch",
    [
        "{ z = Identity(x) }",  # of a value from outside
        "{ a = Relu(x)  z = Identity(a) }",
        """{ a = If (c) <then_branch = p () => (float[2] r) { r = Identity(x) },
        else_branch = q () => (float[2] s) { s = Neg(x) }>  z = Identity(a) }""",
    ],
)
def test_a_branch_may_hand_on_what_it_did_not_make(try_text, name, branch):
    body = f"""(bool c, float[2] x) => (float[2] y)
    {{ y = If (c) <then_branch = t () => (float[2] z) {branch},
    else_branch = e () => (float[2] w) {{ w = Abs(x) }}> }}"""
    assert try_text(name, body).error == 0


@pytest.mark.parametrize("name", ["clean", "fuse"])
def test_a_scan_may_output_its_state_twice(try_text, name):
    body = """(float[1] s, float[4,1] x) => (float[1] y, float[4,1] z) { y, z = Scan <num_scan_inputs = 1,
    body = b (float[1] a, float[1] v) => (float[1] n, float[1] o) { n = Add(a, v)  o = Identity(n) }>(s, x) }"""
    assert try_text(name, body).error == 0


@pytest.mark.parametrize("opset", [11, 18])
@pytest.mark.parametrize("name", ["simplify", "fold-constants", "clean"])
def test_sequences_stay_valid_in_every_set(try_text, name, opset):
    body = """(float[4,2] x) => (float[2,2] y) { one = Constant <value = int64 {1}> ()
    parts = SplitToSequence <axis = 0> (x, two)  y = SequenceAt (parts, one) }"""
    assert try_text(name, body, opset=opset, ints={"two": 2}).error == 0
