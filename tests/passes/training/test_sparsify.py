from __future__ import annotations

import numpy as np
import pytest

from dlpipe.errors import Unsupported
from dlpipe.passes.registry import pass_call

LEARN = {"epochs": 8, "hard": 1.0, "soft": 0.0, "rate": 5e-3, "batch": 32}


@pytest.fixture(scope="module")
def learned(bench, net, quadrants):
    return bench.run(pass_call("fine-tune", **LEARN), ir=net, train=quadrants)[1]


@pytest.fixture(scope="module")
def stored(bench):
    def read(folder):
        found = bench.tool("weights", inputs={"ir": folder})[0]
        return {name: np.array(values) for name, values in found.items()}

    return read


def test_zeros_are_exact_and_the_task_is_kept(learned, bench, quadrants, accuracy, stored):
    call = pass_call("sparsify", **LEARN, sparsity=0.8)
    value, out = bench.run(call, ir=learned, train=quadrants, teacher=learned)
    weights = stored(out)
    zeros = sum(int((weights[name] == 0).sum()) for name in ("w1", "w2", "w3"))
    total = sum(weights[name].size for name in ("w1", "w2", "w3"))
    assert zeros == round(0.8 * total)
    assert value["sparsity"] == zeros / total
    assert value["gzip_bytes"]["after"] < 0.6 * value["gzip_bytes"]["before"]
    assert accuracy(out, quadrants) > 0.95
    _, cut = bench.run(pass_call("prune-weights", sparsity=0.8), ir=learned)
    assert accuracy(out, quadrants) > accuracy(cut, quadrants)
    assert (out / "contract.json").read_bytes() == (learned / "contract.json").read_bytes()


def test_a_pattern(learned, bench, quadrants, stored):
    call = pass_call("sparsify", **{**LEARN, "epochs": 2}, pattern="2:4")
    _, out = bench.run(call, ir=learned, train=quadrants, teacher=learned)
    groups = np.moveaxis(stored(out)["w2"], 1, -1).reshape(-1, 4)
    assert (groups == 0).sum(axis=1).min() == 2


def test_the_kept_weights_are_as_sparse_as_asked_where_training_ends_early(learned, bench, quadrants):
    """Patience, and a budget of time: what was best before the last cut is not what comes out."""
    for params in ({"patience": 1, "rate": 1e-6}, {"minutes": 0.02}):
        call = pass_call("sparsify", **{**LEARN, **params}, sparsity=0.9)
        value, _ = bench.run(call, ir=learned, train=quadrants, teacher=learned)
        assert value["sparsity"] == pytest.approx(0.9, abs=0.002), params


@pytest.mark.parametrize(
    ("params", "message"), [({"until": 1.0}, "until=1.0"), ({"sparsity": 0}, "sparsity=0 must be")]
)
def test_refusals(params, message, learned, bench, quadrants):
    with pytest.raises(Unsupported, match=message):
        bench.run(pass_call("sparsify", **{**LEARN, **params}), ir=learned, train=quadrants, teacher=learned)
