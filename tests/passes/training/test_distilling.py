"""Distillation of a real net: Caffe's LeNet, which ends in a Softmax over axis 1, on MNIST's test pictures."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.caffe import CaffeFrontend
from dlpipe.passes.registry import pass_call
from tests.passes.training.conftest import write_samples


@pytest.fixture(scope="module")
def lenet(bench, shared):
    call = CaffeFrontend().import_call(Sniffed("", "", "lenet.prototxt"), ImportOptions())
    return bench.run(call, source=shared / "models" / "caffe_lenet")[1]


@pytest.fixture(scope="module")
def digits(shared):
    folder = shared / "models" / "mnist_t10k"
    with (
        gzip.open(folder / "t10k-images-idx3-ubyte.gz") as images,
        gzip.open(folder / "t10k-labels-idx1-ubyte.gz") as y,
    ):
        x = np.frombuffer(images.read(16 + 1600 * 784)[16:], np.uint8).reshape(-1, 1, 1, 28, 28)
        labels = np.frombuffer(y.read(8 + 1600)[8:], np.uint8)
    return x.astype(np.float32) / 256, labels.tolist()


def test_the_teacher_alone_brings_a_pruned_net_back(bench, lenet, digits, accuracy, tmp_path):
    x, labels = digits
    train = write_samples(tmp_path / "train", {"data": x[:800]}, labels[:800])
    test = write_samples(tmp_path / "test", {"data": x[800:]}, labels[800:])
    pruned = bench.run(pass_call("prune-channels", macs=0.4), ir=lenet)[1]
    call = pass_call("fine-tune", epochs=5, hard=0.0, soft=1.0)
    value, taught = bench.run(call, ir=pruned, train=train, teacher=lenet)
    before, after, whole = (accuracy(each, test) for each in (pruned, taught, lenet))
    assert before < whole - 0.04
    assert after > whole - 0.03
    assert value["history"][-1]["held-out/accuracy"] > 0.95  # labels that do not teach still judge


def test_labels_that_teach_nothing_need_not_fit(bench, lenet, digits, tmp_path):
    x, labels = digits
    train = write_samples(tmp_path / "train", {"data": x[:100]}, [label + 10 for label in labels[:100]])
    value, _ = bench.run(pass_call("fine-tune", steps=2, hard=0.0), ir=lenet, train=train, teacher=lenet)
    assert "held-out/accuracy" not in value["history"][0]
