"""Files written on the Theano backend: the right route, and the wrong ones caught."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from .conftest import Import, load

pytestmark = pytest.mark.interpreter
TOLERANCE = 1e-5
VERSION = "2.2.5 on theano"


def test_the_right_route(shared: Path, imported: Import) -> None:
    model = imported(shared / "made/keras_theano/cnn_theano_cf.h5", version=VERSION)
    given = load(shared / "made/keras_theano/cnn_ref.npz")
    (port,), (out,) = model.contract.inputs, model.contract.outputs
    samples = model.samples({port.name: given["x"][:, None]})
    np.testing.assert_allclose(model.run(samples)[out.name][:, 0], given["y"], atol=TOLERANCE)
    assert model.worst(samples) <= TOLERANCE


def test_tf_keras_alone_is_wrong_and_the_layer_is_named(shared: Path, imported: Import) -> None:
    wrong = imported(shared / "made/keras_theano/cnn_theano_cf.h5", version=VERSION, route="tf-keras")
    samples = wrong.samples(wrong.random_inputs())
    assert wrong.worst(samples) > 1e-2
