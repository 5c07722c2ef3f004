"""Every Keras file in the shared folder, against Keras and against the answers that came with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlpipe.contracts.frontend import Frontend
from dlpipe.errors import UserError

from .conftest import FRONTEND, Import, load

TOLERANCE = 1e-5  # of the output's range
MADE = [
    f"{version}/keras_{net}.{suffix}"
    for version in ("tf215", "tf221")
    for net in ("cnn", "rnn", "trf")
    for suffix in ("h5", "keras")
]
REAL = {
    "face_classification/fer2013_mini_XCEPTION.102-0.66.hdf5": (),
    "keras_v3_mnist/mnist.keras": (),
    "mlperf_tiny_ad/ad01.h5": (),
    "mlperf_tiny_ic/pretrainedResnet.h5": (),
    "hls4ml_examples/KERAS_3layer.json": ("hls4ml_examples/KERAS_3layer_weights.h5",),
    "hls4ml_examples/KERAS_conv1d_small.json": ("hls4ml_examples/KERAS_conv1d_small_weights.h5",),
}


def test_it_is_a_frontend() -> None:
    assert isinstance(FRONTEND, Frontend)


@pytest.mark.parametrize("file", MADE)
def test_made_models(shared: Path, imported: Import, file: str) -> None:
    model = imported(shared / "made" / file)
    given = load((shared / "made" / file).with_name(Path(file).stem + "_io.npz"))
    (port,), (out,) = model.contract.inputs, model.contract.outputs
    assert (port.shape[0], out.shape[0]) == ("N", "N")
    samples = model.samples({port.name: given["x"].astype(port.dtype)[:, None]})
    made = model.run(samples)[out.name][:, 0]
    assert np.abs(made - given["y"]).max() <= TOLERANCE * np.ptp(given["y"])
    assert model.worst(samples) <= TOLERANCE


@pytest.mark.parametrize(("file", "beside"), REAL.items())
def test_real_models(shared: Path, imported: Import, file: str, beside: tuple[str, ...]) -> None:
    model = imported(shared / "models" / file, *(shared / "models" / each for each in beside))
    samples = model.samples(model.random_inputs())
    assert model.worst(samples) <= TOLERANCE
    names, layers = model.layers(samples)
    reference = model.reference(samples)
    (out,) = model.contract.outputs
    assert names[-1] == out.source
    np.testing.assert_allclose(layers[str(len(names) - 1)], reference[out.name][0], rtol=1e-5, atol=1e-6)


def test_timing(shared: Path, imported: Import) -> None:
    model = imported(shared / "made/tf221/keras_cnn.keras")
    assert len(model.seconds(model.samples(model.random_inputs()))) == 2


def test_the_same_bytes_every_time(shared: Path, imported: Import) -> None:
    first, second = (imported(shared / "made/tf215/keras_rnn.keras").ir for _ in range(2))
    assert (first / "model.onnx").read_bytes() == (second / "model.onnx").read_bytes()


@pytest.mark.parametrize("file", ["lambda.h5", "lambda.keras"])
def test_lambdas_only_on_the_users_word(shared: Path, imported: Import, file: str) -> None:
    with pytest.raises(UserError, match="layer lambda is a Lambda") as caught:
        imported(shared / "made/tf221" / file)
    assert caught.value.where == {"node": "lambda", "op": "Lambda"} or caught.value.where["op"] == "Lambda"
    assert imported(shared / "made/tf221" / file, unsafe_load=True).worst() <= TOLERANCE
