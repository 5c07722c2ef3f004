"""Operator sets, up and down: ONNX's node suite, and what each message says."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe import ir as ir_room
from dlpipe import passes as passes_room
from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported
from dlpipe.ir.calls import describe_call
from dlpipe.passes.registry import pass_call

# The kernel fills what is masked with the lowest number, the definition with minus infinity.
DEFINED_OTHERWISE = "test_attention_4d_with_past_and_present_qk_matmul_bias"


def test_the_node_suite_in_other_sets(bench):
    """Each case that runs, in an old and a middling set: the same outputs, or a refusal that names the node."""
    here = Path(__file__).parent
    rooms = [Path(str(room.__file__)).parent for room in (ir_room, passes_room)]
    libraries = (*rooms, here.parents[1] / "ir" / "suites")
    call = Call("core", here / "node_suite" / "worker.py", "convert", {"versions": [10, 15]}, libraries=libraries)
    found = bench.run(call)[0]
    failed = {name: what for name, what in found.get("failed", {}).items() if DEFINED_OTHERWISE not in name}
    assert failed == {}
    assert sum(map(len, found["same"].values())) > 1500
    refusals = [what for each in found["refused"].values() for what in each]
    reasons = ("cannot be brought to", "contradicts itself", "cannot be raised", "needs operator set")
    assert [what for what in refusals if not any(reason in what for reason in reasons)] == []


def converted(bench, text: str, opset: int, version: int, **build):
    ir = bench.make_ir(bench.build(f'<ir_version: 8, opset_import: ["" : {opset}]> g {text}', **build))
    value, out = bench.run(pass_call("opset", version=version), ir=ir)
    samples = bench.samples(ir)
    before, after = bench.outputs(ir, samples), bench.outputs(out, samples)
    error = max(float(abs(before[name] - after[name]).max()) for name in before)
    return value, bench.run(describe_call(), ir=out)[0], error


DOWN = {
    "axes": ("(float[2,3] x) => (float[2,3] y) { a = Unsqueeze(x, zero)  y = Squeeze(a, zero) }", 13, 11),
    "gelu": ("(float[2,3] x) => (float[2,3] y) { y = Gelu(x) }", 20, 13),
    "softmax over the first axis": ("(float[4,3,2] x) => (float[4,3,2] y) { y = Softmax<axis=0>(x) }", 13, 9),
    "layer norm": ("(float[2,8] x) => (float[2,8] y) { y = LayerNormalization(x, w, w) }", 17, 13),
    "in a branch": (
        """(bool c, float[2,3] x) => (float[2] y) { y = If (c) <
        then_branch = t () => (float[2] p) { p = ReduceSum<keepdims=0>(x, one) },
        else_branch = e () => (float[2] q) { q = ReduceMax<axes=[1],keepdims=0>(x) }> }""",
        13,
        11,
    ),
    "part of a shape": ("(float[2,3] x) => (int64[1] y) { y = Shape<start=1>(x) }", 15, 12),
}


@pytest.mark.parametrize("name", DOWN)
def test_down(bench, name):
    text, opset, version = DOWN[name]
    value, described, error = converted(bench, text, opset, version, ints={"zero": [0], "one": [1]}, weights={"w": [8]})
    assert described["opset"] == version
    assert value["modified"]
    assert error < 1e-6


def test_up_and_down_again(bench):
    text = """(float[1,3,8,8] x) => (float[1,3,4,4] y) {
        r = Relu(x)  p = MaxPool<kernel_shape=[2,2],strides=[2,2]>(r)  y = Clip(p) }"""
    value, described, error = converted(bench, text, 11, 21)
    assert (described["opset"], error) == (21, 0)
    assert value["changes"] == ["operator set 11 -> 21"]
    value, described, error = converted(bench, text, 21, 11)
    assert (described["opset"], error) == (11, 0)


@pytest.mark.parametrize(
    ("text", "opset", "version", "message"),
    [
        ("(float[2,3] x) => (float[2,3] y) { a = Mod<fmod=1>(x, x)  y = Relu(a) }", 13, 9, r"\(Mod\).*has no Mod"),
        (
            "(float[2,3] x, int64[1] k) => (float[2] y) { y = ReduceSum<keepdims=0>(x, k) }",
            13,
            11,
            r"\(ReduceSum\).*computed when the model runs",
        ),
        ("(float[2] x) => (bool[2] y) { y = Equal(x, x) }", 11, 9, r"\(Equal\).*cannot be a tensor\(float\)"),
        ("(float[2] x) => (float[2] y) { y = Relu(x) }", 13, 6, "from 7 to"),
        ("(float[2] x) => (float[2] y) { y = Relu(x) }", 13, 99, "from 7 to"),
    ],
)
def test_refusals_name_the_node(bench, text, opset, version, message):
    with pytest.raises(Unsupported, match=message) as caught:
        converted(bench, text, opset, version)
    assert ("node" in caught.value.where) == ("from 7" not in message)


def test_without_a_version_nothing_is_done(try_text):
    assert not try_text("opset", "(float[2] x) => (float[2] y) { y = Relu(x) }").value["modified"]
