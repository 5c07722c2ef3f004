"""A fault that is planted into one node is found there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlpipe.contracts.call import Call
from dlpipe.measure import walk_call
from dlpipe.measure.tolerances import tolerance_of
from dlpipe.passes.registry import pass_call
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.pool import WorkerPool
from tests.conftest import Bench
from tests.measure.bisecting import nets

MEMORY = 200e6  # bytes above the model, by the kernel's account of the whole process


def plant(bench: Any, ir: Path, fault: str, at: str, **params: Any) -> Path:
    worker = Path(__file__).with_name("worker.py")
    return bench.run(Call("core", worker, "plant", {"fault": fault, "at": at, **params}), ir=ir)[1]


def walk(bench: Any, reference: Path, candidate: Path, samples: Path, ports: dict[str, str], **more: Any) -> Any:
    inputs = {"reference": reference, "candidate": candidate, "samples": samples}
    call = walk_call(tolerance_of(more.pop("variant", "fp32")).params(), ports, **more)
    return bench.run(call, **inputs)[0]


@pytest.fixture(scope="module")
def deep(bench: Any) -> tuple[Path, Path, dict[str, str]]:
    """300 nodes."""
    ir = bench.make_ir(bench.build(**nets.deep()))
    return ir, bench.samples(ir, 1), {"x": "x", "b49_out": "b49_out"}


@pytest.fixture(scope="module")
def fresh(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A process that does nothing but walk, so that its peak is that of the walks."""
    folder = tmp_path_factory.mktemp("fresh")
    with WorkerPool(toolchains, folder / "workers", keep_logs=folder / "logs") as pool:
        (folder / "out").mkdir()
        yield Bench(pool, folder / "out")


@pytest.mark.parametrize(
    ("fault", "at", "node", "params"),
    [
        ("perm", "b20nchw", "b20nchw", {"perm": [0, 3, 2, 1]}),
        ("swap", "b31_w", "b31conv", {}),
        ("perturb", "b44_w", "b44conv", {}),
        ("perturb", "b0_s", "b0scale", {}),
        ("operator", "b49add", "b49add", {"op": "Sub"}),
    ],
)
def test_a_planted_fault_is_found_at_its_node(bench, fresh, deep, fault, at, node, params):
    ir, samples, ports = deep
    found = walk(fresh, ir, plant(bench, ir, fault, at, **params), samples, ports)
    assert found["verdict"] == "node"
    assert found["first"]["node"] == node
    assert [each["node"] for each in found["wrong"]] == [node]
    assert found["compared"] == 300
    assert 30e6 < found["peak_rss"] < MEMORY  # Python with ONNX Runtime alone has more than the lower


def test_equal_graphs_agree(bench, deep):
    ir, samples, ports = deep
    found = walk(bench, ir, ir, samples, ports)
    assert (found["verdict"], found["first"], found["wrong_count"]) == ("agree", None, 0)


def small(bench: Any, body: str, **params: Any) -> Path:
    return bench.make_ir(bench.build(text=f'<ir_version: 8, opset_import: ["" : 17]> small {body}', **params))


def test_errors_that_add_up_are_told_from_a_wrong_node(bench):
    """Every node is off by 4e-5 of the range, which is within 1e-4; three of them are not."""
    nodes = " ".join(f"[n{i}] v{i} = Mul({f'v{i - 1}' if i else 'x'}, w{i})" for i in range(6))
    weights = ", ".join(f"float[1] w{i} = {{1.0}}" for i in range(6))
    ir = off = small(bench, f"(float[1,16] x) => (float[1,16] v5) <{weights}> {{ {nodes} }}")
    for number in range(6):
        off = plant(bench, off, "scale", f"w{number}", factor=1 + 7e-5)
    found = walk(bench, ir, off, bench.samples(ir), {"x": "x", "v5": "v5"})
    assert found["verdict"] == "accumulates"
    assert found["first"]["node"] == "n2"
    assert found["wrong_count"] == 0
    assert {each["node"] for each in found["largest"]} == {f"n{number}" for number in range(6)}


BRANCHES = """(float[N,4] x) => (float[N,4] left, float[N,4] right) {
    [stem] s = MatMul(x, w)
    [a1] a = MatMul(s, w)  [a2] left = Tanh(a)
    [b1] b = MatMul(s, v)  [b2] c = Neg(b)  [b3] right = Add(c, s) }"""


@pytest.mark.parametrize(
    ("fault", "at", "wrong", "departing"),
    [
        ("swap", "v", "b1", ["right"]),  # one branch
        ("swap", "w", "stem", ["left", "right"]),  # a weight that two nodes share: the first of them is named
        ("operator", "a2", "a2", ["left"]),
    ],
)
def test_branches_shared_weights_and_several_outputs(bench, fault, at, wrong, departing):
    ir = small(bench, BRANCHES, weights={"w": [4, 4], "v": [4, 4]})
    bad = plant(bench, ir, fault, at, op="Sin")
    samples = bench.samples(ir, N=3)  # the rows are free
    found = walk(bench, ir, bad, samples, {"x": "x", "left": "left", "right": "right"})
    assert (found["verdict"], found["first"]["node"]) == ("node", wrong)
    assert [each["value"] for each in found["outputs"] if each["own"]["passed"] is False] == departing


def test_both_nodes_of_a_shared_weight_are_told(bench):
    ir = small(bench, BRANCHES, weights={"w": [4, 4], "v": [4, 4]})
    found = walk(
        bench, ir, plant(bench, ir, "swap", "w"), bench.samples(ir, N=3), {"x": "x", "left": "left", "right": "right"}
    )
    assert [each["node"] for each in found["wrong"]] == ["stem", "a1"]


def test_what_comes_right_again_is_no_cause(bench):
    """The second branch is far off, and nothing of it reaches the output that departs."""
    body = """(float[1,8] x) => (float[1,8] y) <float[1] one = {1.0}, float[1] none = {0.0}> {
        [off] a = Mul(x, one)  [hidden] b = Mul(a, none)  [main] c = Mul(x, one)  [sum] y = Add(b, c) }"""
    ir = small(bench, body)
    bad = plant(bench, plant(bench, ir, "operator", "off", op="Add"), "operator", "main", op="Sub")
    found = walk(bench, ir, bad, bench.samples(ir), {"x": "x", "y": "y"})
    assert found["first"]["node"] == "main"
    assert [each["node"] for each in found["wrong"]] == ["main"]


def test_a_nan_is_found_where_it_appears(bench):
    body = """(float[1,8] x) => (float[1,8] y) {
        [square] a = Mul(x, x)  [root] b = Sqrt(a)  [end] y = Exp(b) }"""
    ir = small(bench, body)
    body = body.replace("Sqrt(a)", "Acosh(a)")  # of numbers below 1 there is none
    found = walk(bench, ir, small(bench, body), bench.samples(ir), {"x": "x", "y": "y"})
    assert found["first"]["node"] == "root"
    assert "NaN" in found["first"]["own"]["reason"]


LOOP = """(float[1,4] x) => (float[1,4] y) <int64 n = {3}, bool go = {1}, float[1] k = {0.5}> {
    [before] a = Mul(x, k)
    [loop] b = Loop(n, go, a) <body = step (int64 i, bool c, float[1,4] s) => (bool d, float[1,4] t) {
        d = Identity(c)  t = Add(s, k) }>
    [after] y = Neg(b) }"""


def test_a_loop_is_one_node_with_what_it_takes_from_outside(bench):
    ir = small(bench, LOOP)
    bad = plant(bench, ir, "operator", "loop/body", op="Sub")
    found = walk(bench, ir, bad, bench.samples(ir), {"x": "x", "y": "y"})
    assert (found["verdict"], found["first"]["node"], found["first"]["op"]) == ("node", "loop", "Loop")
    assert found["compared"] == 3


def test_names_of_ports_may_differ(bench):
    ir = small(bench, "(float[1,4] x) => (float[1,4] y) { [f] a = Exp(x)  [g] y = Neg(a) }")
    other = small(bench, "(float[1,4] in) => (float[1,4] out) { [f] a = Exp(in)  [g] out = Abs(a) }")
    found = walk(bench, ir, other, bench.samples(ir), {"in": "x", "out": "y"})
    assert (found["first"]["node"], found["first"]["reference_value"]) == ("g", "y")


@pytest.fixture(scope="module")
def quantised(bench: Any) -> tuple[Path, Path, Path]:
    """(float, int8, samples)."""
    ir = bench.make_ir(bench.build(**{**nets.deep(6), "scale": 0.4}))
    samples = bench.samples(ir, 8)
    return ir, bench.run(pass_call("quantize-int8"), ir=ir, samples=samples)[1], samples


def test_a_bad_range_is_found_at_its_quantiser(bench, quantised):
    ir, int8, samples = quantised
    ports = {"x": "x", "b5_out": "b5_out"}
    good = walk(bench, ir, int8, samples, ports, variant="int8")
    assert good["verdict"] == "agree"
    found = walk(bench, ir, plant(bench, int8, "range", "b3_out", factor=0.02), samples, ports, variant="int8")
    assert (found["verdict"], found["first"]["op"]) == ("node", "DequantizeLinear")
    assert found["first"]["reference_value"] == "b3_out"
    assert found["first"]["reference_node"] == "b3add"
    assert found["wrong_count"] == 1


def test_half_precision(bench, quantised):
    ir, _, samples = quantised
    half = bench.run(pass_call("fp16"), ir=ir)[1]
    ports = {"x": "x", "b5_out": "b5_out"}
    assert walk(bench, ir, half, samples, ports, variant="fp16")["verdict"] == "agree"
    found = walk(bench, ir, plant(bench, half, "operator", "b2relu", op="Neg"), samples, ports, variant="fp16")
    assert (found["verdict"], found["first"]["node"]) == ("node", "b2relu")


def test_a_layout_is_no_fault(bench):
    """The candidate has a value of the same name with its axes in another order."""
    ir = small(bench, "(float[1,4,5,6] x) => (float[1,4,5,6] y) { [f] a = Exp(x)  [g] y = Neg(a) }")
    other = small(
        bench,
        """(float[1,4,5,6] x) => (float[1,4,5,6] y) { [t] b = Transpose<perm = [0, 2, 3, 1]>(x)  [f] a = Exp(b)
        [n] c = Neg(a)  [u] y = Transpose<perm = [0, 3, 1, 2]>(c) }""",
    )
    found = walk(bench, ir, other, bench.samples(ir), {"x": "x", "y": "y"})
    assert found["verdict"] == "agree"
    assert found["left_out"] == ["b", "c"]


def test_a_node_that_cannot_be_executed_is_the_first_that_departs(bench):
    ir = small(
        bench, "(float[1,4] x) => (float[1,4] y) <int64[2] to = {1, 4}> { [f] a = Exp(x)  [g] y = Reshape(a, to) }"
    )
    found = walk(bench, ir, plant(bench, ir, "perturb", "to", by=6), bench.samples(ir), {"x": "x", "y": "y"})
    assert found["first"]["node"] == "g"
    assert "failed to run" in found["first"]["own"]["reason"]


def test_large_weights_stay_in_their_file(bench, fresh):
    body = "(float[1,4000] x) => (float[1,4000] y) { [n] a = MatMul(x, w)  [m] y = Relu(a) }"
    text = f'<ir_version: 8, opset_import: ["" : 17]> large {body}'
    ir = bench.build(text=text, weights={"w": [4000, 4000]}, scale=0.02, external={"w": "weights.bin"})
    samples = bench.samples(bench.make_ir(ir))
    size = sum(path.stat().st_size for path in ir.iterdir())
    assert size > 60e6
    found = walk(fresh, ir, ir, samples, {"x": "x", "y": "y"})
    assert found["verdict"] == "agree"
    assert 30e6 < found["peak_rss"] < size + MEMORY
