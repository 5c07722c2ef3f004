"""Files written on the Theano backend: the right route, and the wrong ones caught."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.errors import UserError
from dlpipe.toolchains import Toolchains

from .conftest import Import, load

pytestmark = pytest.mark.interpreter
TOLERANCE = 1e-5
VERSION = "2.2.5 on theano"
SCRIPT = Path(__file__).with_name("keras2_models.py")
LAYERS = re.findall(r'^    "(\w+)": \(L\.', SCRIPT.read_text(), re.MULTILINE)


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


@pytest.fixture(scope="session")
def on_theano(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("keras-on-theano")
    python = toolchains.ensure("theano").python
    assert python is not None
    subprocess.run([python, "-W", "ignore", SCRIPT, out], check=True, timeout=600, capture_output=True)
    return out


@pytest.mark.parametrize("name", LAYERS)
def test_layers(on_theano: Path, imported: Import, name: str) -> None:
    """Kernels turned round, and the padding that is Theano's own."""
    assert _difference(on_theano, imported, name) <= TOLERANCE


def test_a_model_without_the_shape_of_its_input(on_theano: Path, imported: Import) -> None:
    with pytest.raises(UserError, match="does not say what shape its input has"):
        imported(on_theano / "unshaped.h5")
    assert _difference(on_theano, imported, "unshaped", inputs={"x": {"shape": ["N", 4]}}) <= TOLERANCE


def _difference(folder: Path, imported: Import, name: str, **options: Any) -> float:
    """From the answers of Keras on Theano, in units of the output's range."""
    model = imported(folder / f"{name}.h5", **options)
    given = load(folder / f"{name}_io.npz")
    (port,), (out,) = model.contract.inputs, model.contract.outputs
    made = model.run(model.samples({port.name: given["x"][:, None]}))[out.name][:, 0]
    assert made.shape == given["y"].shape
    return float(np.abs(made - given["y"]).max() / np.ptp(given["y"]))
