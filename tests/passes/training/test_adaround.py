from __future__ import annotations

import numpy as np
import pytest

from dlpipe.errors import Unsupported
from dlpipe.ir.calls import describe_call
from dlpipe.passes.registry import pass_call

FINE_TUNE = {"epochs": 6, "hard": 1.0, "soft": 0.0, "rate": 5e-3, "batch": 32}


@pytest.fixture(scope="module")
def trained(bench, net, quadrants):
    return bench.run(pass_call("fine-tune", **FINE_TUNE), ir=net, train=quadrants)[1]


@pytest.fixture(scope="module", params=[True, False], ids=["per-channel", "per-tensor"])
def coarse(request, bench, trained):
    """Weights of about 3 bits: steps 32 times as large as int8's, so that rounding shows."""
    call = pass_call("quantize-int8", per_channel=request.param, smooth=False)
    quantised = bench.run(call, ir=trained, samples=bench.samples(trained, 16))[1]
    return bench.tool("coarser_weights", inputs={"ir": quantised, "float": trained}, factor=32.0)[1]


def error(bench, one, other, samples):
    return float(np.square(bench.outputs(one, samples)["y"] - bench.outputs(other, samples)["y"]).mean())


def test_it_is_nearer_to_the_original(bench, trained, coarse, quadrants):
    value, out = bench.run(pass_call("adaround", steps=400), ir=coarse, train=quadrants, teacher=trained)
    assert len(value["layers"]) == 3
    assert all(layer["learned"] <= layer["before"] for layer in value["layers"])
    assert sum(layer["learned"] < 0.9 * layer["before"] for layer in value["layers"]) >= 2
    assert error(bench, out, trained, quadrants) < 0.8 * error(bench, coarse, trained, quadrants)
    nodes = [bench.run(describe_call(), ir=each)[0]["nodes"] for each in (coarse, out)]
    assert nodes[0] == nodes[1]
    before, after = (bench.tool("weights", inputs={"ir": each})[0] for each in (coarse, out))
    changed = {name for name in before if before[name] != after[name]}
    assert changed
    for name in changed:
        assert np.abs(np.array(before[name]) - np.array(after[name])).max() == 1


def test_weights_of_a_smoothed_model_are_found_in_its_original(bench, trained, quadrants):
    smoothed = bench.run(pass_call("smooth-quant", strength=0.7), ir=trained, samples=bench.samples(trained, 16))[1]
    call = pass_call("quantize-int8", smooth=False, correct_bias=False)
    quantised = bench.run(call, ir=smoothed, samples=bench.samples(trained, 16))[1]
    coarse = bench.tool("coarser_weights", inputs={"ir": quantised, "float": smoothed}, factor=8.0)[1]
    value, out = bench.run(pass_call("adaround", steps=400), ir=coarse, train=quadrants, teacher=trained)
    assert value["left"] == []
    assert error(bench, out, trained, quadrants) < error(bench, coarse, trained, quadrants)


@pytest.mark.parametrize(("kind", "last"), [("int7", 63), ("int8", 127)])
def test_weights_keep_to_their_bits(bench, trained, quadrants, kind, last):
    """Kernels that add two products in 16 bits would saturate with larger ones; formats that are symmetric have none of
    -128."""
    call = pass_call("quantize-int8", weights=kind, smooth=False)
    quantised = bench.run(call, ir=trained, samples=bench.samples(trained, 16))[1]
    for learning in (pass_call("adaround", steps=200), pass_call("qat", epochs=2, rate=1e-2)):
        out = bench.run(learning, ir=quantised, train=quadrants, teacher=trained)[1]
        before, after = (bench.tool("weights", inputs={"ir": each})[0] for each in (quantised, out))
        sizes = [np.abs(np.array(after[name])).max() for name in after if is_matrix(before[name], last)]
        assert len(sizes) == 3
        assert max(sizes) <= last


def is_matrix(stored, last):
    """A weight in integers; scales, zero points and biases are other things."""
    array = np.array(stored)
    return array.ndim > 1 and (array == np.rint(array)).all() and 0.9 * last < np.abs(array).max() <= last


def test_no_layer_makes_the_model_worse(bench, trained, quadrants):
    quantised = bench.run(pass_call("quantize-int8", smooth=False), ir=trained, samples=bench.samples(trained, 16))[1]
    value, out = bench.run(pass_call("adaround", steps=30, rate=0.3), ir=quantised, train=quadrants, teacher=trained)
    assert len(value["layers"]) == 3
    assert error(bench, out, trained, quadrants) <= 1.02 * error(bench, quantised, trained, quadrants)


def test_another_original_is_refused(bench, net, trained, quadrants):
    quantised = bench.run(pass_call("quantize-int8"), ir=trained, samples=bench.samples(trained, 16))[1]
    with pytest.raises(Unsupported, match="not the float model that it was made from"):
        bench.run(pass_call("adaround", steps=10), ir=quantised, train=quadrants, teacher=net)


def test_float_models_are_refused(bench, trained, quadrants):
    with pytest.raises(Unsupported, match="not quantised"):
        bench.run(pass_call("adaround"), ir=trained, train=quadrants, teacher=trained)
