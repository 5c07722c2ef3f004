"""Real MXNet models: no options, and equal to MXNet; one with labels, one with a twin in Caffe."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import pytest

from .conftest import Import

pytestmark = pytest.mark.interpreter


def test_mnist(shared: Any, imported: Import) -> None:
    folder = shared / "models/mxnet_mnist"
    model = imported(folder / "mnist-symbol.json", folder / "mnist-0035.params")
    assert [list(port.shape) for port in model.contract.inputs] == [["N", 1, 28, 28]]
    assert any("1x28x28 fits" in note for note in model.notes)
    images, labels = _digits(shared, 1000)
    samples = model.samples({"data": images[:, None]})
    found, wanted = model.run(samples), model.reference(samples)
    (name,) = found
    assert np.abs(found[name] - wanted[name]).max() < 1e-5
    predicted = found[name].reshape(1000, 10).argmax(1)
    assert (predicted == wanted[name].reshape(1000, 10).argmax(1)).all()
    assert (predicted == labels).mean() == pytest.approx(0.99, abs=0.003)


def _digits(shared: Any, count: int) -> tuple[Any, Any]:
    folder = shared / "models/mnist_t10k"
    read = []
    for kind, offset in (("images", 16), ("labels", 8)):
        path = next(path for path in folder.iterdir() if kind in path.name)
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        read.append(np.frombuffer(data, np.uint8)[offset:])
    images = read[0][: count * 784].reshape(count, 1, 28, 28).astype(np.float32) / 255
    return images, read[1][:count]


@pytest.mark.parametrize(("name", "size"), [("det1", 12), ("det2", 24)])
def test_mtcnn(shared: Any, imported: Import, name: str, size: int) -> None:
    folder = shared / "models/mtcnn_caffe_mxnet"
    shape = {"data": {"shape": [-1, 3, size, size]}}
    model = imported(folder / f"{name}-symbol.json", folder / f"{name}-0001.params", inputs=shape)
    assert model.worst(model.random(8)) < 1e-5
    unsaid = imported(folder / f"{name}-symbol.json", folder / f"{name}-0001.params")
    assert unsaid.worst(unsaid.random(1)) < 1e-5
