"""Passes that change inputs and outputs: the contract follows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlpipe.errors import Unsupported
from dlpipe.passes.registry import pass_call

HEAD = '<ir_version: 8, opset_import: ["" : 18]> g '
CONV = (
    HEAD
    + """(float[batch,3,h,w] x) => (float[batch,4,oh,ow] y, int64[4] s) {
    c = Conv<pads=[1,1,1,1]>(x, k)  y = MaxPool<kernel_shape=[2,2],strides=[2,2]>(c)  s = Shape(c) }"""
)


@pytest.fixture(scope="module")
def conv(bench):
    return bench.make_ir(bench.build(CONV, weights={"k": [4, 3, 3, 3]}))


def contract(ir):
    return json.loads((ir / "contract.json").read_bytes())


def shapes(ir):
    return {port["name"]: port["shape"] for side in ("inputs", "outputs") for port in contract(ir)[side]}


def test_free_dims_become_sizes(bench, conv):
    value, out = bench.run(pass_call("specialise", dims={"batch": 2, "h": 8, "w": 6}), ir=conv)
    assert value["changes"] == ["batch is 2", "h is 8", "w is 6"]
    assert shapes(out) == {"x": [2, 3, 8, 6], "y": [2, 4, 4, 3], "s": [4]}
    samples = bench.samples(conv, 3, batch=2, h=8, w=6)
    before, after = bench.outputs(conv, samples), bench.outputs(out, samples)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    folded = bench.run(pass_call("fold-constants"), ir=out)[1]
    assert not bench.run(pass_call("specialise"), ir=folded)[0]["modified"]


def test_some_dims_stay_free(bench, conv):
    out = bench.run(pass_call("specialise", dims={"batch": 1}), ir=conv)[1]
    assert shapes(out)["x"] == [1, 3, "h", "w"]
    assert shapes(out)["y"][:2] == [1, 4]


def test_dims_without_a_name_have_one_in_the_contract(bench):
    ir = bench.make_ir(bench.build(HEAD + "(float[?,3] x) => (float[?,3] y) { y = Relu(x) }"))
    [port] = contract(ir)["inputs"]
    out = bench.run(pass_call("specialise", dims={port["shape"][0]: 5}), ir=ir)[1]
    assert shapes(out) == {"x": [5, 3], "y": [5, 3]}


@pytest.mark.parametrize(
    ("dims", "message"),
    [({"depth": 1}, "free dim 'depth'"), ({"batch": 0}, "from 1 on"), ({"batch": "two"}, "from 1 on")],
)
def test_dims_that_cannot_be(bench, conv, dims, message):
    with pytest.raises(Unsupported, match=message):
        bench.run(pass_call("specialise", dims=dims), ir=conv)


def test_a_size_that_the_graph_contradicts(bench):
    ir = bench.make_ir(bench.build(HEAD + "(float[n,3] x) => (float[4,3] y) { y = Add(x, w) }", weights={"w": [4, 3]}))
    with pytest.raises(Unsupported, match="n=3 contradicts itself") as caught:
        bench.run(pass_call("specialise", dims={"n": 3}), ir=ir)
    assert caught.value.where["node"] == "Add_0"


CHAIN = (
    HEAD
    + """(float[2,4] x, float[2,4] z) => (float[2,4] y) {
    a = Relu(x)  b = Add(a, w)  c = Mul(b, z)  y = Tanh(c) }"""
)


@pytest.fixture(scope="module")
def chain(bench):
    return bench.make_ir(bench.build(CHAIN, weights={"w": [4]}))


@pytest.mark.parametrize(
    ("params", "inputs", "outputs", "nodes"),
    [
        ({"inputs": ["a"], "outputs": ["b"]}, ["a"], ["b"], 1),
        ({"outputs": ["b"]}, ["x"], ["b"], 2),
        ({"inputs": ["b"]}, ["b", "z"], ["y"], 2),
        ({"outputs": ["a", "c"]}, ["x", "z"], ["a", "c"], 3),
        ({"inputs": ["z", "b"], "outputs": ["c", "b"]}, ["z", "b"], ["c", "b"], 1),
    ],
)
def test_a_part_gives_what_the_whole_has_there(bench, chain, params, inputs, outputs, nodes):
    value, out = bench.run(pass_call("extract", **params), ir=chain)
    assert [[port["name"] for port in contract(out)[side]] for side in ("inputs", "outputs")] == [inputs, outputs]
    assert value["nodes_after"] == nodes
    assert value["changes"][1] == f"from {', '.join(inputs)} to {', '.join(outputs)}"
    shown = bench.run(pass_call("extract", outputs=["a", "b", "c", "y"]), ir=chain)[1]
    samples = bench.samples(chain)
    values = {**bench.outputs(shown, samples), **np.load(samples / "samples.npz")}
    fed = bench.folder()
    fed.mkdir()
    np.savez(fed / "samples.npz", **{name: values[name] for name in inputs})
    got = bench.outputs(out, fed)
    assert all(np.array_equal(got[name], values[name]) for name in outputs)


def test_a_part_of_what_reaches_into_a_branch(bench):
    text = (
        HEAD
        + """(bool q, float[2] x) => (float[2] y) { a = Relu(x)  b = Neg(x)  y = If (q) <
        then_branch = t () => (float[2] p) { p = Add(a, b) }, else_branch = e () => (float[2] r) { r = Abs(b) }> }"""
    )
    ir = bench.make_ir(bench.build(text))
    out = bench.run(pass_call("extract", inputs=["a"]), ir=ir)[1]
    assert [port["name"] for port in contract(out)["inputs"]] == ["a", "q", "x"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"outputs": ["cc"]}, "no value 'cc'"),
        ({"outputs": ["w"]}, "no value 'w'"),
        ({"inputs": ["c"], "outputs": ["b"]}, "no output depends on 'c'"),
    ],
)
def test_parts_that_cannot_be(bench, chain, params, message):
    with pytest.raises(Unsupported, match=message):
        bench.run(pass_call("extract", **params), ir=chain)


def test_without_parameters_nothing_is_done(bench, conv, chain):
    assert not bench.run(pass_call("specialise"), ir=conv)[0]["modified"]
    assert not bench.run(pass_call("extract"), ir=chain)[0]["modified"]
