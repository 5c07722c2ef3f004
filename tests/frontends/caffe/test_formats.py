"""Every generation of the format, nets as they are trained, and how blobs are stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlpipe.errors import BadModel, Unsupported

from .conftest import blob, caffemodel, field, legacy_blob, unpacked_blob, varint

RANDOM = np.random.default_rng(7)
WEIGHT, BIAS = RANDOM.standard_normal((4, 3, 3, 3)), RANDOM.standard_normal(4)
DENSE, OFFSET = RANDOM.standard_normal((5, 4 * 8 * 8)), RANDOM.standard_normal(5)
BLOBS = {"conv": [WEIGHT, BIAS], "fc": [DENSE, OFFSET]}
NEW = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 5 } }
"""
INPUT = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 16 input_dim: 16'
V1 = """
input: 'data' input_shape { dim: [1, 3, 16, 16] } # a list, and single quotes
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2 weight_decay: 1
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } };
layers { name: "relu" type: RELU bottom: "conv" top: "conv" }
layers { name: "pool" type: POOLING bottom: "conv" top: "pool" pooling_param < pool: MAX kernel_size: 2 stride: 2 > }
layers { name: "fc" type: INNER_PRODUCT bottom: "pool" top: "fc" inner_product_param: { num_output: 5, } }
"""
V0 = f"""
{INPUT}
layers {{ layer {{ name: "pad" type: "padding" pad: 1 }} bottom: "data" top: "padded" }}
layers {{ layer {{ name: "conv" type: "conv" num_output: 4 kernelsize: 3 stride: 1 blobs_lr: 1. }}
  bottom: "padded" top: "conv" }}
layers {{ layer {{ name: "relu" type: "relu" }} bottom: "conv" top: "conv" }}
layers {{ layer {{ name: "pool" type: "pool" pool: MAX kernelsize: 2 stride: 2 }} bottom: "conv" top: "pool" }}
layers {{ layer {{ name: "fc" type: "innerproduct" num_output: 5 }} bottom: "pool" top: "fc" }}
"""


def wrapped(blobs: Any, layers: int, name: int, arrays: int, inner: int | None = None) -> bytes:
    """A caffemodel of an older generation."""
    made = b""
    for key, each in blobs.items():
        layer = field(name, key.encode()) + b"".join(field(arrays, legacy_blob(array)) for array in each)
        made += field(layers, field(inner, layer) if inner else layer)
    return made


@pytest.fixture
def expected(caffe: Any) -> Any:
    ran = caffe.run(caffe.source(INPUT + NEW, BLOBS))
    assert ran.difference() < 1e-5
    return ran.outputs["fc"]


def test_generations(caffe: Any, expected: Any) -> None:
    v1 = wrapped(BLOBS, 2, 4, 6)
    v0 = wrapped(BLOBS, 2, 1, 50, inner=1)
    for prototxt, weights in ((V1, v1), (V0, v0), (INPUT + NEW, v1), (V1, v0), (V0, caffemodel(BLOBS))):
        ran = caffe.run(caffe.source(prototxt, weights))
        assert ran.kind == "independent" or weights is v0, ran.note  # OpenCV does not find weights that are so old
        assert ran.difference() < 1e-5
        np.testing.assert_allclose(ran.outputs["fc"], expected, rtol=1e-5, atol=1e-6)


def _double(array: Any) -> bytes:
    return blob(array).partition(b"\x2a")[0] + field(8, np.asarray(array, "<f8").tobytes())


def _half(array: Any) -> bytes:
    """NVIDIA's Caffe: raw data, type 2."""
    shape = field(7, field(1, b"".join(varint(dim) for dim in np.shape(array))))
    return shape + varint(10 << 3) + varint(2) + field(12, np.asarray(array, "<f2").tobytes())


@pytest.mark.parametrize(
    ("encode", "exact"), [(legacy_blob, True), (unpacked_blob, True), (_double, True), (_half, False)]
)
def test_blobs(caffe: Any, expected: Any, encode: Any, exact: bool) -> None:
    source = caffe.source(INPUT + NEW, caffemodel(BLOBS, encode))
    ran = caffe.run(source)
    np.testing.assert_allclose(ran.outputs["fc"], expected, rtol=1e-5 if exact else 0.1, atol=1e-5 if exact else 0.1)
    assert ran.kind == ("own" if encode is _double else "independent"), ran.note  # OpenCV reads no doubles
    assert ran.difference() < 1e-5
    assert ran.to_interpreter() < 1e-5


TRAINING = """
name: "both phases"
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.5 crop_size: 12 } data_param { source: "x" batch_size: 64 backend: LMDB } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { mean_value: 104 mean_value: 117 mean_value: 123 crop_size: 16 }
  data_param { source: "y" batch_size: 50 } }
"""
LOSS = """
layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" include { phase: TRAIN } }
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
layer { name: "labels" type: "Split" bottom: "label" top: "label_copy" }
"""


def test_a_training_net(caffe: Any, expected: Any) -> None:
    """Data layers become inputs, their size read off the crop and the first convolution; losses are left out."""
    ran = caffe.run(caffe.source(TRAINING + NEW + LOSS, BLOBS))
    assert ran.kind == "independent", ran.note
    np.testing.assert_allclose(ran.outputs["fc"], expected, rtol=1e-5, atol=1e-6)
    assert ran.contract["inputs"][0]["shape"] == ["N", 3, 16, 16]
    assert [port["name"] for port in ran.contract["outputs"]] == ["fc"]
    assert ran.contract["metadata"]["caffe_transforms"]["data"]["mean_value"] == ["104", "117", "123"]
    caffe.ir(caffe.source(TRAINING + NEW + LOSS, BLOBS))
    notes = caffe.work.notes
    assert any("loss (SoftmaxWithLoss)" in note for note in notes)
    assert any("labels (Split)" in note for note in notes)


def test_a_size_that_the_file_does_not_say(caffe: Any, expected: Any) -> None:
    source = caffe.source(TRAINING.replace("crop_size: 16", "") + NEW + LOSS, BLOBS)
    with pytest.raises(BadModel, match="does not say the shape of the input data") as refused:
        caffe.ir(source)
    assert refused.value.hint.startswith("--input data:")
    ran = caffe.run(source, inputs={"data": {"shape": [1, 3, 16, 16]}})
    np.testing.assert_allclose(ran.outputs["fc"], expected, rtol=1e-5, atol=1e-6)


def test_stages_and_levels(caffe: Any) -> None:
    """NVIDIA DIGITS writes all nets into one file and tells them apart by stages."""
    rules = """
    layer { name: "train" type: "Data" top: "data" top: "label" include { stage: "train" } }
    layer { name: "deploy" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } }
      include { stage: "deploy" } }
    """
    end = """
    layer { name: "p" type: "Softmax" bottom: "fc" top: "p" include { stage: "deploy" } }
    layer { name: "never" type: "Softmax" bottom: "p" top: "q" include { min_level: 2 } }
    layer { name: "no" type: "Softmax" bottom: "p" top: "q" exclude { not_stage: "val" } }
    """
    ran = caffe.run(caffe.source(rules + NEW + end, BLOBS))
    assert list(ran.outputs) == ["p"]
    assert ran.difference() < 1e-5


def test_shared_weights(caffe: Any) -> None:
    """Siamese nets: layers share blobs by a name; the file keeps them with each layer, or with the first alone."""
    twin = """
    layer { name: "cut" type: "Slice" bottom: "data" top: "a" top: "b" slice_param { axis: 1 slice_point: 3 } }
    layer { name: "one" type: "Convolution" bottom: "a" top: "ya" param { name: "w" } param { name: "b" }
      convolution_param { num_output: 4 kernel_size: 3 } }
    layer { name: "two" type: "Convolution" bottom: "b" top: "yb" param { name: "w" } param { name: "b" }
      convolution_param { num_output: 4 kernel_size: 3 } }
    """
    head = INPUT.replace("input_dim: 3", "input_dim: 6")
    both = caffe.run(caffe.source(head + twin, {"one": [WEIGHT, BIAS], "two": [WEIGHT, BIAS]}))
    assert both.difference() < 1e-5
    first = caffe.ir(caffe.source(head + twin, {"one": [WEIGHT, BIAS]}))
    assert (first / "model.onnx").read_bytes() == (both.ir / "model.onnx").read_bytes()


def test_options(caffe: Any) -> None:
    source = caffe.source(INPUT + NEW, BLOBS)
    ran = caffe.run(source, outputs=("pool",), dims={"N": 3})
    assert ran.contract["inputs"][0]["shape"] == [3, 3, 16, 16]
    assert [port["name"] for port in ran.contract["outputs"]] == ["pool"]
    assert ran.difference() < 1e-5
    with pytest.raises(BadModel, match="no blob 'elsewhere'"):
        caffe.ir(source, outputs=("elsewhere",))
    with pytest.raises(BadModel, match="no input 'elsewhere'"):
        caffe.ir(source, inputs={"elsewhere": {"shape": [1]}})


def test_the_same_bytes_every_time(caffe: Any) -> None:
    source = caffe.source(INPUT + NEW, BLOBS)
    assert (caffe.ir(source) / "model.onnx").read_bytes() == (caffe.ir(source) / "model.onnx").read_bytes()


REFUSED = {
    "a layer that nobody knows": ('layer { name: "w" type: "Warp" bottom: "data" top: "y" }', Unsupported, "Warp"),
    "code outside of the file": (
        'layer { name: "w" type: "Python" bottom: "data" top: "y" python_param { module: "m" } }',
        Unsupported,
        "Python",
    ),
    "a parameter that nobody knows": (
        'layer { name: "w" type: "ReLU" bottom: "data" top: "y" relu_param { knee: 2 } }',
        Unsupported,
        "relu_param.knee",
    ),
    "a fork's own parameters": (
        'layer { name: "w" type: "ReLU" bottom: "data" top: "y" warp_param { knee: 2 } }',
        Unsupported,
        "'warp_param'",
    ),
    "chance": (
        'layer { name: "w" type: "Pooling" bottom: "data" top: "y" pooling_param { pool: STOCHASTIC kernel_size: 2 } }',
        Unsupported,
        "stochastic",
    ),
    "weights that are not there": (
        'layer { name: "w" type: "Scale" bottom: "data" top: "y" }',
        BadModel,
        "number 1 is missing",
    ),
    "weights of another net": (
        (
            'layer { name: "conv" type: "Convolution" bottom: "data" top: "y" '
            "convolution_param { num_output: 9 kernel_size: 3 } }"
        ),
        BadModel,
        r"shape \[4, 3, 3, 3\]",
    ),
    "a blob from nowhere": ('layer { name: "w" type: "ReLU" bottom: "nothing" top: "y" }', BadModel, "'nothing'"),
    "a number that is none": (
        'layer { name: "w" type: "ReLU" bottom: "data" top: "y" relu_param { negative_slope: many } }',
        BadModel,
        "'many'",
    ),
    "a kernel too large": (
        'layer { name: "w" type: "Pooling" bottom: "data" top: "y" pooling_param { kernel_size: 99 } }',
        BadModel,
        "larger than",
    ),
    "a solver": ("base_lr: 0.01", BadModel, "not a Caffe net"),
    "no text format": ("layer { name", BadModel, "end of the file"),
    "an end too soon": ('layer { name: "w" ', BadModel, "end of the file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(caffe: Any, name: str) -> None:
    text, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        caffe.ir(caffe.source(f"{INPUT}\n{text}" if "layer {" in text and "name }" not in text else text, BLOBS))


def test_files_that_are_missing(caffe: Any) -> None:
    source = caffe.source(INPUT + NEW, BLOBS)
    (source / "net.caffemodel").rename(source / "a.caffemodel")
    caffe.ir(source)  # the only one there is
    (source / "b.caffemodel").write_bytes((source / "a.caffemodel").read_bytes())
    with pytest.raises(BadModel, match=r"2 caffemodels beside net\.prototxt: a\.caffemodel, b\.caffemodel"):
        caffe.ir(source)
    for each in source.glob("*.caffemodel"):
        each.unlink()
    with pytest.raises(BadModel, match="no caffemodel beside"):
        caffe.ir(source)


def test_operators(caffe: Any) -> None:
    _, value = caffe.work(caffe.frontend.operators_call(), {})
    operators = value["operators"]
    assert len(operators) >= 80
    assert operators["Convolution"]["support"] == "partial"
    assert operators["ReLU"]["support"] == "full"
    assert operators["Python"] == {"support": "none", "note": "its code is not in the file"}
