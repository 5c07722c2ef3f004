"""What people look at of a model: its graph, the error and the time of its layers, its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlpipe.ir.calls import view_call
from dlpipe.report import ModelView
from tests.conftest import Bench

NET = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[1, 4] x) => (float[1, 3] y)
<float[4, 3] w>
{
    h = MatMul(x, w)
    r = Relu(h)
    y = Softmax(r)
}
"""
SCALED = NET.replace("r = Relu(h)", "r = LeakyRelu<alpha: float = 0.5>(h)")


def build(bench: Bench, text: str, weight: Any) -> Any:
    values = ", ".join(f"{value:g}" for value in weight.ravel())
    return bench.build(text.replace("<float[4, 3] w>", f"<float[4, 3] w = {{{values}}}>"))


def looked_at(bench: Bench, **inputs: Any) -> ModelView:
    return ModelView.model_validate({"stage": "x", **bench.run(view_call("this one"), **inputs)[0]})


def test_layers_kernels_and_weights(bench: Bench) -> None:
    weight = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
    before, after = build(bench, NET, weight), build(bench, SCALED, weight * 1.01)
    samples = bench.samples(before)
    first = looked_at(bench, ir=before, samples=samples)
    assert [(each.op, each.after, each.error) for each in first.nodes] == [
        ("MatMul", (), None),
        ("Relu", (0,), None),
        ("Softmax", (1,), None),
    ]
    assert first.kernels
    assert all(each.milliseconds >= 0 for each in first.kernels)
    (found,) = first.weights
    assert (found.name, found.shape, found.low, found.high) == ("w", (4, 3), -1.0, 1.0)
    assert sum(found.counts) == 12
    assert found.std == pytest.approx(float(weight.std()), rel=1e-5)

    second = looked_at(bench, ir=after, samples=samples, before=before)
    errors = [each.error for each in second.nodes]
    with np.load(samples / "samples.npz") as archive:
        hidden = archive["x"][0] @ weight
    assert errors[0] == pytest.approx(0.01 * np.abs(hidden).max() / np.ptp(hidden), rel=1e-3)  # one percent more weight
    assert errors[1] is None  # another operator makes a value of that name: it is another value
    assert errors[2] is not None
    assert errors[2] > 0


def test_a_quantised_weight_is_shown_as_the_numbers_that_it_stands_for(bench: Bench) -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[1, 2] x) => (float[1, 2] y)
    <int8[2, 2] q = {-100, 50, 0, 100}, float[2] s = {0.01, 0.1}, int8[2] z = {0, 10}>
    {
        w = DequantizeLinear<axis: int = 1>(q, s, z)
        y = MatMul(x, w)
    }
    """
    ir = bench.build(text)
    (found,) = looked_at(bench, ir=ir, samples=bench.samples(ir)).weights
    assert found.dtype == "int8"
    assert (found.low, found.high) == (pytest.approx(-1.0), pytest.approx(9.0))  # -100 x 0.01 and (100 - 10) x 0.1
