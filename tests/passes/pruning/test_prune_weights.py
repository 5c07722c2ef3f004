from __future__ import annotations

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported

BODY = """(float[1,8,6,6] x) => (float[1,5] y) {
    a = Conv<pads=[1,1,1,1]>(x, w1, b1)  r = Relu(a)  g = GlobalAveragePool(r)  f = Flatten(g)
    m = MatMul(f, w2)  y = Gemm<transB=1>(m, w3, b3)
}"""
WEIGHTS = {"w1": [16, 8, 3, 3], "b1": [16], "w2": [16, 12], "w3": [5, 12], "b3": [5]}


@pytest.fixture
def prune(try_text):
    def attempt(body=BODY, weights=WEIGHTS, **params):
        return try_text("prune-weights", body, params=params, weights=weights)

    return attempt


@pytest.fixture
def stored(bench):
    """stored(folder) -> {name of a weight: nested lists}."""
    return lambda folder: bench.tool("weights", inputs={"ir": folder})[0]


def flat(nested) -> list[float]:
    return [number for each in nested for number in flat(each)] if isinstance(nested, list) else [nested]


def zeros(nested) -> float:
    numbers = flat(nested)
    return sum(number == 0 for number in numbers) / len(numbers)


def test_the_smallest_of_all_go(prune, stored):
    tried = prune(sparsity=0.75)
    before, after = stored(tried.source), stored(tried.ir)
    pairs = [pair for name in ("w1", "w2", "w3") for pair in zip(flat(before[name]), flat(after[name]), strict=True)]
    gone, kept = [old for old, new in pairs if new == 0], [old for old, new in pairs if new != 0]
    assert len(gone) == round(0.75 * len(pairs))
    assert max(map(abs, gone)) < min(map(abs, kept))
    assert all(old == new for old, new in pairs if new != 0)
    assert before["b1"] == after["b1"]
    assert tried.value["sparsity"] == pytest.approx(0.75, abs=1e-3)
    sizes = tried.value["gzip_bytes"]
    assert sizes["after"] < 0.5 * sizes["before"]


def test_the_same_part_of_each_layer(prune, stored):
    after = stored(prune(sparsity=0.5, scope="layer").ir)
    assert [zeros(after[name]) for name in ("w1", "w2", "w3")] == [0.5, 0.5, 0.5]


def test_no_layer_is_lost(prune, stored, bench, try_pass, request):
    """Weights a hundred times smaller than the others': a part of them stays."""
    worker = request.path.parent / "weights" / "worker.py"
    source = bench.build('<ir_version: 8, opset_import: ["" : 18]> g ' + BODY, weights=WEIGHTS)
    tiny = bench.run(Call("core", worker, "shrink", {"names": ["w2"], "factor": 1e-4, "step": 1}), source=source)[1]
    after = stored(try_pass("prune-weights", bench.make_ir(tiny), sparsity=0.5).ir)
    assert zeros(after["w2"]) == pytest.approx(0.99, abs=0.006)


@pytest.mark.parametrize(("name", "axis"), [("w1", 1), ("w2", 0), ("w3", 1)])
def test_two_of_four(prune, stored, name, axis):
    """Along the axis that is summed over: a convolution's input channels, the rows of a matrix, or its columns."""
    after = np.array(stored(prune(pattern="2:4").ir)[name])
    groups = np.moveaxis(after, axis, -1).reshape(-1, 4)
    assert set((groups != 0).sum(axis=1)) == {2}


def test_a_layer_that_does_not_divide_stays(prune, stored):
    after = stored(prune(pattern="2:8").ir)
    assert zeros(after["w1"]) == zeros(after["w2"]) == 0.75
    assert zeros(after["w3"]) == 0.0


def test_masks_for_more_lie_within(prune, stored, try_pass):
    half = prune(sparsity=0.5)
    more = try_pass("prune-weights", half.ir, sparsity=0.8)
    straight = prune(sparsity=0.8)
    assert stored(more.ir) == stored(straight.ir)
    assert not try_pass("prune-weights", more.ir, sparsity=0.8).value["modified"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sparsity": 1.0}, "must be a part between 0 and 1"),
        ({"scope": "all"}, "scope='all' is not one of global, layer"),
        ({"pattern": "4:2"}, "not of the form n:m"),
        ({"pattern": "2:7"}, "no axis divides by it"),
        ({"exclude": ["nobody"]}, "there is no node 'nobody'"),
    ],
)
def test_refusals(params, message, prune):
    with pytest.raises(Unsupported, match=message):
        prune(**params)


def test_without_weights(prune):
    with pytest.raises(Unsupported, match="no stored float weights"):
        prune("(float[1,3] x) => (float[1,3] y) { y = Relu(x) }", {})


def test_constant_nodes(prune):
    body = """(float[1,2] x) => (float[1,2] y) { w = Constant<value = float[2,2] {1, 2, 3, 4}>()  y = MatMul(x, w) }"""
    assert prune(body, {}, sparsity=0.5).value["sparsity"] == 0.5
    assert prune(body.replace("1, 2", "0, 0"), {}, sparsity=0.5).value["sparsity"] == 0.5


def test_excluded_and_nested(prune, stored):
    """A branch of an If has its weights cut too."""
    body = """(bool c, float[1,8] x) => (float[1,4] y) {
        y = If(c) <then_branch = t () => (float[1,4] a) { a = MatMul(x, w) },
                   else_branch = e () => (float[1,4] b) { b = MatMul(x, v) }>
    }"""
    after = stored(prune(body, {"w": [8, 4], "v": [8, 4]}, sparsity=0.5, scope="layer").ir)
    assert zeros(after["w"]) == zeros(after["v"]) == 0.5
    after = stored(prune(sparsity=0.5, scope="layer", exclude=["Conv_0"]).ir)
    assert zeros(after["w1"]) == 0.0
