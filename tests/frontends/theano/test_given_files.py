"""The files of Theano's in the shared folder, against Theano and against the answers that came with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import Frontend
from dlpipe.errors import UserError

from .conftest import FRONTEND, Import, load

pytestmark = pytest.mark.interpreter
TOLERANCE = 1e-5
LAYERS: dict[str, Any] = {
    "input": [None, 3, 12, 12],
    "layers": [
        {"type": "Conv2DLayer", "num_filters": 6, "filter_size": 3, "pad": "same"},
        {"type": "MaxPool2DLayer", "pool_size": 2},
        {"type": "DenseLayer", "num_units": 5, "nonlinearity": "softmax", "name": "prob"},
    ],
}


def test_it_is_a_frontend() -> None:
    assert isinstance(FRONTEND, Frontend)


def test_parameters_with_their_description(shared: Path, imported: Import) -> None:
    model = imported(shared / "made/theano105/lasagne_params.npz", LAYERS)
    given = load(shared / "made/theano105/lasagne_ref.npz")
    samples = model.samples({"input": given["x"][:, None]})
    np.testing.assert_allclose(model.run(samples)["prob"][:, 0], given["y"], atol=TOLERANCE)
    assert model.worst(samples) <= TOLERANCE
    assert model.original(samples)[1]["kind"] == "independent"
    layers = model.original(samples, "layers")[1]["layers"]
    assert layers == ["Conv2DLayer_0", "MaxPool2DLayer_1", "prob"]


def test_parameters_alone_say_what_is_needed(shared: Path, imported: Import) -> None:
    with pytest.raises(UserError, match="nothing says which layers") as caught:
        imported(shared / "made/theano105/lasagne_params.npz")
    assert "lasagne_params.layers.json" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["cnn_graph.pkl", "cnn_function.pkl"])
def test_pickled_graphs(shared: Path, imported: Import, name: str) -> None:
    path = shared / "made/theano105" / name
    model = imported(path, unsafe_load=True, inputs={"x": {"shape": ["N", 3, 8, 8]}})
    given = load(shared / "made/theano105/cnn_ref.npz")
    (out,) = model.contract.outputs
    samples = model.samples({"x": given["x"][:, None]})
    np.testing.assert_allclose(model.run(samples)[out.name][:, 0], given["y"], atol=TOLERANCE)
    assert model.worst(samples) <= TOLERANCE
    assert model.original(samples)[1]["kind"] == "original"


def test_theano_unpickles_only_on_the_users_word(shared: Path, imported: Import) -> None:
    model = imported(shared / "made/theano105/cnn_graph.pkl", inputs={"x": {"shape": ["N", 3, 8, 8]}})
    with pytest.raises(UserError, match="executes code of the file's choice") as caught:
        model.worst(model.samples(model.random_inputs()))
    assert "--unsafe-load" in (caught.value.hint or "")
