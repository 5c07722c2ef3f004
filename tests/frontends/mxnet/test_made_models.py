"""Models made with MXNet 1.9.1: converted by dlpipe, and equal to what MXNet says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .conftest import Import, load, worst

pytestmark = pytest.mark.interpreter


@pytest.mark.parametrize("name", ["cnn-0000", "lenet-0001", "gru1-0000", "lstm-0000", "lstm1bi-0000", "lstm2uni-0000"])
def test_made_models(shared: Any, imported: Import, name: str) -> None:
    folder, stem = shared / "made/mxnet191", name.partition("-")[0]
    model = imported(folder / f"{stem}-symbol.json", folder / f"{name}.params")
    known = load(folder / f"{stem}_ref.npz")
    x = known["x"].astype(np.float32)
    samples = model.samples({"data": x[None]})
    assert worst([model.run(samples)[model.contract.outputs[0].name][0]], [known["y"]]) < 1e-5
    assert model.worst(samples) < 1e-5
    assert model.contract.inputs[0].shape[0] == "N"


def test_reductions(shared: Any, imported: Import) -> None:
    folder = shared / "made/mxnet191"
    known = load(folder / "red_ref.npz")
    shape = {"data": {"shape": [-1, 4, 6]}}
    model = imported(folder / "red-symbol.json", folder / "red-0000.params", inputs=shape)
    samples = model.samples({"data": known["x"][None]})
    assert worst([model.run(samples)[model.contract.outputs[0].name][0]], [known["y"]]) < 1e-6
    assert model.worst(samples) < 1e-6


def test_layers_of_the_original(shared: Any, imported: Import) -> None:
    folder = shared / "made/mxnet191"
    model = imported(folder / "lenet-symbol.json", folder / "lenet-0001.params")
    names, values = model.layers(model.random())
    assert names == ["c1", "activation0", "pooling0", "flatten1", "fc1", "softmax"]
    assert values["0"].shape == (2, 8, 24, 24)
    np.testing.assert_allclose(values["5"].sum(-1), 1, rtol=1e-5)


def test_an_inner_layer_as_output(shared: Any, imported: Import) -> None:
    folder = shared / "made/mxnet191"
    model = imported(folder / "lenet-symbol.json", folder / "lenet-0001.params", outputs=("pooling0",))
    assert [port.name for port in model.contract.outputs] == ["pooling0_output"]
    assert model.worst(model.random()) < 1e-6


def test_the_same_bytes_every_time(shared: Any, imported: Import) -> None:
    folder = shared / "made/mxnet191"
    first, second = (imported(folder / "lstm-symbol.json", folder / "lstm-0000.params").ir for _ in range(2))
    assert (first / "model.onnx").read_bytes() == (second / "model.onnx").read_bytes()
