from __future__ import annotations

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported
from dlpipe.ir.calls import describe_call
from dlpipe.passes.registry import pass_call
from tests.passes.training.conftest import LIBRARIES, WORKER

FINE_TUNE = {"epochs": 6, "hard": 1.0, "soft": 0.0, "rate": 5e-3, "batch": 32}
CASES = {
    "conv": {},
    "per-tensor": {"per_channel": False},
    "signed": {"activations": "int8"},
}


@pytest.fixture(scope="module")
def trained(bench, net, quadrants):
    return bench.run(pass_call("fine-tune", **FINE_TUNE), ir=net, train=quadrants)[1]


@pytest.fixture(scope="module", params=sorted(CASES))
def quantised(request, bench, trained):
    samples = bench.samples(trained, 16)
    return bench.run(pass_call("quantize-int8", **CASES[request.param]), ir=trained, samples=samples)[1]


def fake_outputs(bench, ir, samples):
    call = Call("training", WORKER, "fake_quantised", libraries=LIBRARIES)
    with np.load(bench.run(call, ir=ir, samples=samples)[1] / "outputs.npz") as archive:
        return dict(archive)


def test_what_is_trained_is_what_runs(bench, quantised):
    """The trained graph computes what ONNX Runtime does with the integers, but for values on the edge of a step."""
    samples = bench.samples(quantised, 8)
    ran, computed = bench.outputs(quantised, samples), fake_outputs(bench, quantised, samples)
    for name, array in ran.items():
        assert np.abs(array - computed[name]).max() < 0.02 * np.ptp(array) + 0.004


def test_bad_scales_are_learned(bench, trained, quantised, quadrants, accuracy):
    # How coarse is too coarse depends on the kernels that trained the net.
    for factor in (14.0, 28.0, 56.0, 64.0, 72.0, 80.0, 96.0, 112.0):
        coarse = bench.tool("scale_up", inputs={"ir": quantised}, factor=factor)[1]
        before = accuracy(coarse, quadrants)
        if before < 0.8:
            break
    call = pass_call("qat", epochs=4, rate=2e-2, batch=32, hard=1.0, soft=1.0)
    value, out = bench.run(call, ir=coarse, train=quadrants, teacher=trained)
    assert before < 0.8
    assert accuracy(out, quadrants) > max(0.9, before + 0.1)
    assert value["history"][-1]["held-out/accuracy"] > 0.85
    nodes = [bench.run(describe_call(), ir=each)[0]["nodes"] for each in (coarse, out)]
    assert nodes[0] == nodes[1]
    samples = bench.samples(out, 8)
    ran, computed = bench.outputs(out, samples), fake_outputs(bench, out, samples)
    for name, array in ran.items():
        assert np.abs(array - computed[name]).max() < 0.02 * np.ptp(array) + 0.004


def test_it_is_never_worse_on_what_is_held_out(bench, trained, quantised, quadrants):
    value, out = bench.run(pass_call("qat", epochs=1, rate=1.0), ir=quantised, train=quadrants, teacher=trained)
    assert value["best_step"] == 0
    assert not value["modified"]
    assert (out / "model.onnx").read_bytes() == (quantised / "model.onnx").read_bytes()


def test_float_models_are_refused(bench, trained, quantised, quadrants):
    with pytest.raises(Unsupported, match="not quantised"):
        bench.run(pass_call("qat"), ir=trained, train=quadrants, teacher=trained)
    with pytest.raises(Unsupported, match="not fine-tuned in floats"):
        bench.run(pass_call("fine-tune"), ir=quantised, train=quadrants, teacher=trained)
