from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported
from dlpipe.ir.calls import describe_call
from dlpipe.passes.registry import pass_call
from tests.passes.training.conftest import write_samples

LEARN = {"epochs": 6, "hard": 1.0, "soft": 0.0, "rate": 5e-3, "batch": 32}
WEIGHTS = Path(__file__).parents[1] / "pruning" / "weights" / "worker.py"
CUT = {"macs": 0.4, "multiple": 1, "least": 2, "batches": 5, "batch": 32}


@pytest.fixture(scope="module")
def learned(bench, net, quadrants):
    return bench.run(pass_call("fine-tune", **LEARN), ir=net, train=quadrants)[1]


@pytest.mark.parametrize("criterion", ["taylor", "activation"])
def test_cut_and_trained(criterion, learned, bench, quadrants, accuracy):
    call = pass_call("prune-channels-by-data", criterion=criterion, **CUT)
    value, cut = bench.run(call, ir=learned, train=quadrants, teacher=learned)
    macs = bench.run(describe_call(), ir=cut)[0]["macs"]
    assert macs == value["macs"]["after"] <= 0.4 * value["macs"]["before"]
    _, tuned = bench.run(pass_call("fine-tune", **{**LEARN, "soft": 1.0}), ir=cut, train=quadrants, teacher=learned)
    assert accuracy(tuned, quadrants) > 0.95
    assert bench.run(describe_call(), ir=tuned)[0]["macs"] == macs


def test_taylor_keeps_what_the_task_needs(bench, quadrants, accuracy, tmp_path):
    """Half of the hidden numbers are large and lead nowhere: their weights speak for them, the data do not."""
    body = """(float[1,1,8,8] x) => (float[1,4] y) {
        f = Flatten(x)  h = Gemm(f, w, b)  r = Relu(h)  k = Gemm(r, v, c)  y = Softmax(k)
    }"""
    weights = {"w": [64, 32], "b": [32], "v": [32, 4], "c": [4]}
    text = f'<ir_version: 8, opset_import: ["" : 18]> g {body}'
    net = bench.make_ir(bench.build(text, weights=weights, scale=0.2))
    _, learned = bench.run(pass_call("fine-tune", **LEARN), ir=net, train=quadrants)
    _, misled = bench.run(Call("core", WEIGHTS, "mislead", {"up": "w", "down": "v"}), source=learned)
    (misled / "contract.json").write_bytes((learned / "contract.json").read_bytes())
    params = {"macs": 0.5, "multiple": 1, "least": 2}
    _, by_data = bench.run(
        pass_call("prune-channels-by-data", **{**CUT, **params}), ir=misled, train=quadrants, teacher=misled
    )
    _, by_weights = bench.run(pass_call("prune-channels", **params), ir=misled)
    assert accuracy(misled, quadrants) > 0.95
    assert accuracy(by_data, quadrants) > 0.9
    assert accuracy(by_weights, quadrants) < 0.5


def test_without_labels_the_teacher_judges(learned, bench, quadrants, tmp_path):
    with np.load(quadrants / "samples.npz") as archive:
        unlabelled = write_samples(tmp_path / "unlabelled", {"x": archive["x"]}, None)
    value, _ = bench.run(pass_call("prune-channels-by-data", **CUT), ir=learned, train=unlabelled, teacher=learned)
    assert json.dumps(value["groups"])


def test_refusals(learned, bench, quadrants):
    for params, message in (({"batches": 0}, "batches=0"), ({"criterion": "l2"}, "is not one of taylor, activation")):
        with pytest.raises(Unsupported, match=message):
            bench.run(
                pass_call("prune-channels-by-data", **{**CUT, **params}), ir=learned, train=quadrants, teacher=learned
            )
