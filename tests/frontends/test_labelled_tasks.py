"""Trained models on labelled data: the import answers as the original does, sample by sample.

The Caffe, Caffe2, MXNet, PyTorch and TensorFlow nets with labels are in the tests of their frontends.
"""

from __future__ import annotations

import csv
import gzip
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.pipeline.proven import prove_import
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session

Judge = Callable[[Path, Path], dict[str, Any]]


@pytest.fixture
def judge(own_cache: Path) -> Iterator[Judge]:
    """judge(model, data): the import's accuracy, and how many samples it answers otherwise than the original."""
    with Session() as session:

        def run(model: Path, data: Path) -> dict[str, Any]:
            proven = prove_import(session, ConvertRequest(str(model), (), data=str(data)))
            value: dict[str, Any] = session.executor.outcomes[f"accuracy:{proven.imported.ir}"].value
            return value

        yield run


def _same(found: dict[str, Any]) -> float:
    """The share of samples on which both are right or both are wrong."""
    return 1 - (int(found["only_original_right"]) + int(found["only_this_right"])) / int(found["n"])


def _mnist(shared: Path, folder: Path) -> Path:
    """2,000 digits, 0 to 1."""
    files = shared / "models/mnist_t10k"
    with (
        gzip.open(files / "t10k-images-idx3-ubyte.gz") as images,
        gzip.open(files / "t10k-labels-idx1-ubyte.gz") as told,
    ):
        pixels = np.frombuffer(images.read()[16:], np.uint8).reshape(-1, 28, 28)[:2000]
        labels = np.frombuffer(told.read()[8:], np.uint8)[:2000]
    np.savez(folder / "digits.npz", x=(pixels / np.float32(255)).astype(np.float32), y=labels)
    return folder / "digits.npz"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "least"), [("keras_v3_mnist/mnist.keras", 0.97), ("tflite_micro/trained_lstm.tflite", 0.90)]
)
def test_digits(judge: Judge, shared: Path, tmp_path: Path, model: str, least: float) -> None:
    found = judge(shared / "models" / model, _mnist(shared, tmp_path))
    assert found["n"] == 2000
    assert found["value"] >= least
    assert _same(found) >= 0.999


@pytest.mark.slow
def test_keywords_in_8_bit(judge: Judge, shared: Path, tmp_path: Path) -> None:
    """MLPerf Tiny's keyword net on its own features: LiteRT gives 91.5 % of 1,000."""
    folder = shared / "models/acc_kws01"
    with (folder / "y_labels.csv").open() as file:
        labels = {row[0]: int(row[2]) for row in csv.reader(file)}
    rows, told = [], []
    with tarfile.open(folder / "acc_kws01.tar.gz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            name = Path(member.name).name
            if file is not None and name in labels:
                rows.append(np.frombuffer(file.read(), np.int8).reshape(49, 10, 1))
                told.append(labels[name])
    np.savez(tmp_path / "features.npz", x=np.stack(rows), y=np.array(told))
    found = judge(shared / "models/mlperf_tiny_kws/kws_ref_model.tflite", tmp_path / "features.npz")
    assert found["value"] >= 0.90
    assert _same(found) >= 0.999


@pytest.mark.slow
@pytest.mark.parametrize("model", ["pretrainedResnet.h5", "pretrainedResnet.tflite"])
def test_pictures(judge: Judge, shared: Path, tmp_path: Path, model: str) -> None:
    """MLPerf Tiny's ResNet-8 on lossy JPEGs of CIFAR-10, on which Keras gives 76.8 %."""
    with tarfile.open(shared / "models/cifar10_test_jpg/cifar10_test.tar.gz") as archive:
        archive.extractall(tmp_path / "pictures", filter="data")
    (root,) = {path.parents[1] for path in (tmp_path / "pictures").rglob("*.jpg")}
    found = judge(shared / "models/mlperf_tiny_ic" / model, root)
    assert found["value"] >= 0.70
    assert _same(found) >= 0.999
