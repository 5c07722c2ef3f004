"""A cut is right if it computes what the whole model computes with zeros for what was cut."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.caffe import CaffeFrontend
from dlpipe.frontends.darknet import DarknetFrontend
from dlpipe.frontends.ncnn import NcnnFrontend
from dlpipe.frontends.tflite import TFLiteFrontend
from tests.passes.pruning.random_nets import MOVES, build

# Models as they come, and imported ones; groups that are found and weights that a random cut leaves say that it bit.
REAL = {
    "ultraface": ("models/ultraface", "version-RFB-320.onnx", {}),
    "yunet": ("models/yunet", "yunet_n_320_320.onnx", {}),
    "yunet-dynamic": ("models/yunet", "yunet_n_dynamic.onnx", {"height": 64, "width": 96}),
    "yolox": ("models/opencv_zoo", "yolox_nano.onnx", {}),
}

IMPORTED = {
    "caffe-lenet": (CaffeFrontend(), "caffe_lenet", "lenet.prototxt", 3),
    "caffe-cifar10": (CaffeFrontend(), "caffe_cifar10", "cifar10_quick.prototxt", 4),
    "caffe-mtcnn": (CaffeFrontend(), "mtcnn_caffe_mxnet", "det2.prototxt", 4),
    "darknet-yolo": (DarknetFrontend(), "yolo_fastest", "yolo-fastest-1.1.cfg", 30),
    "ncnn-ultraface": (NcnnFrontend(), "ultraface", "RFB-320.param", 20),
    "tflite-resnet": (TFLiteFrontend(), "mlperf_tiny_ic", "pretrainedResnet.tflite", 6),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    moves=st.lists(st.tuples(st.integers(0, len(MOVES) - 1), st.integers(0, 59)), max_size=12),
    end=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
@example(moves=[(number, number) for number in range(len(MOVES))], end=0, seed=1)
@example(moves=[(number, number + 1) for number in range(len(MOVES))], end=2, seed=2)
def test_random_nets(moves, end, seed, bench, cut_at_random):
    text, weights, ints = build(moves, end)
    source = bench.build(text, weights=weights, ints=ints, scale=0.3, seed=seed)
    assert cut_at_random(source, seed=seed).error < 1e-4


@pytest.mark.parametrize("name", sorted(REAL))
def test_real_models(name, bench, shared, cut_at_random):
    folder, entry, sizes = REAL[name]
    compared = cut_at_random(bench.make_ir(shared / folder, entry), sizes=sizes)
    assert compared.error < 1e-4
    assert len(compared.groups) > 20
    assert compared.weights[1] < 0.5 * compared.weights[0]


@pytest.mark.parametrize("name", sorted(IMPORTED))
def test_models_of_other_frameworks(name, bench, shared, cut_at_random):
    frontend, folder, entry, groups = IMPORTED[name]
    call = frontend.import_call(Sniffed("", "", entry), ImportOptions())
    compared = cut_at_random(bench.run(call, source=shared / "models" / folder)[1])
    assert compared.error < 1e-4
    assert len(compared.groups) >= groups
    assert compared.weights[1] < 0.75 * compared.weights[0]
