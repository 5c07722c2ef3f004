"""Operator sets 1 to 6, operators on trial, and sets newer than ONNX Runtime: each against NumPy by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dlpipe.errors import UserError
from tests.frontends.onnx.conftest import Try

C = np.array([1, 2, 3], np.float32).reshape(1, 3, 1)  # one number per channel of [N, 3, L]
CHANNELS = "<float[3] c = {1, 2, 3}>"


def _softmax(x: Any) -> Any:
    """Of everything behind the first axis at once, as before set 13."""
    e = np.exp(x.reshape(len(x), -1))
    return (e / e.sum(1, keepdims=True)).reshape(x.shape)


def _normalised(x: Any) -> Any:
    return (x - x.mean(2, keepdims=True)) / np.sqrt(x.var(2, keepdims=True) + 1e-5) * C + C


CASES: dict[str, tuple[int, str, Callable[[Any], Any]]] = {
    "reshape": (1, "(float[2,6] x) => (float[3,4] y) { y = Reshape<shape=[3,4]>(x) }", lambda x: x.reshape(3, 4)),
    "concat": (1, "(float[2,6] x) => (float[2,12] y) { y = Concat(x, x) }", lambda x: np.concatenate([x, x], 1)),
    "pad": (
        1,
        "(float[2,6] x) => (float[4,8] y) { y = Pad<paddings=[1,1,1,1], value=2.5>(x) }",
        lambda x: np.pad(x, 1, constant_values=2.5),
    ),
    "cast": (1, '(float[2,6] x) => (int32[2,6] y) { y = Cast<to="INT32">(x) }', lambda x: x.astype(np.int32)),
    "split": (
        1,
        "(float[2,6] x) => (float[2,4] y) { z, y = Split<axis=1, split=[2,4]>(x) }",
        lambda x: x[:, 2:],
    ),
    "tile": (
        1,
        "(float[2,6] x) => (float[2,12] y) <float t = {2}, float a = {1}> { y = Tile(x, t, a) }",
        lambda x: np.tile(x, (1, 2)),
    ),
    "upsample": (
        1,
        (
            "(float[1,1,2,3] x) => (float[1,1,4,9] y)"
            '{ y = Upsample<width_scale=3.0, height_scale=2.0, mode="nearest">(x) }'
        ),
        lambda x: x.repeat(2, 2).repeat(3, 3),
    ),
    "dropout": (
        1,
        "(float[2,6] x) => (float[2,6] y) { y = Dropout<is_test=1, ratio=0.5, consumed_inputs=[0]>(x) }",
        lambda x: x,
    ),
    "leaky": (
        1,
        "(float[2,6] x) => (float[2,6] y) { y = LeakyRelu<alpha=0.3, consumed_inputs=[0]>(x) }",
        lambda x: np.where(x < 0, 0.3 * x, x),
    ),
    "pool": (
        1,
        "(float[1,2,3,4] x) => (float[1,2,1,1] y) { y = GlobalLpPool<p=2.0>(x) }",
        lambda x: np.sqrt((x**2).sum((2, 3), keepdims=True)),
    ),
    "softmax": (1, "(float[2,3,4] x) => (float[2,3,4] y) { y = Softmax(x) }", _softmax),
    "instance-norm": (
        1,
        (
            f"(float[2,3,4] x) => (float[2,3,4] y) {CHANNELS}"
            "{ y = InstanceNormalization<epsilon=0.00001, consumed_inputs=[0,0,0]>(x, c, c) }"
        ),
        _normalised,
    ),
    "add-in-the-middle": (
        6,
        f"(float[2,3,4] x) => (float[2,3,4] y) {CHANNELS} {{ y = Add<broadcast=1, axis=1>(x, c) }}",
        lambda x: x + C,
    ),
    "add-a-computed-value": (
        6,
        f"(float[2,3,4] x) => (float[2,3,4] y) {CHANNELS} {{ d = Neg(c) y = Add<broadcast=1, axis=-2>(x, d) }}",
        lambda x: x - C,
    ),
    "less": (
        1,
        "(float[2,6] x) => (bool[2,6] y) <float[1] c = {0.1}> { y = Less<broadcast=1>(x, c) }",
        lambda x: x < np.float32(0.1),
    ),
    "prelu": (
        6,
        f"(float[2,3,4] x) => (float[2,3,4] y) {CHANNELS} {{ y = PRelu(x, c) }}",
        lambda x: np.where(x < 0, x * C, x),
    ),
    "gemm": (
        6,
        (
            "(float[2,2] x) => (float[2,2] y) <float[2,2] w = {1,2,3,4}, float[2] c = {5,6}>"
            "{ y = Gemm<broadcast=1>(x, w, c) }"
        ),
        lambda x: x @ np.array([[1, 2], [3, 4]], np.float32) + np.array([5, 6], np.float32),
    ),
    "image-scaler": (
        7,
        "(float[1,3,4,4] x) => (float[1,3,4,4] y) { y = ImageScaler<scale=0.5, bias=[1.0,2.0,3.0]>(x) }",
        lambda x: x * 0.5 + C[..., None],
    ),
    "affine": (6, "(float[6] x) => (float[6] y) { y = Affine<alpha=2.0, beta=1.0>(x) }", lambda x: 2 * x + 1),
    "crop": (
        1,
        "(float[1,2,6,7] x) => (float[1,2,3,4] y) { y = Crop<border=[1,2,2,1]>(x) }",
        lambda x: x[:, :, 2:-1, 1:-2],
    ),
    "crop-to-size": (
        6,
        "(float[1,2,6,7] x) => (float[1,2,3,4] y) { y = Crop<border=[1,2,0,0], scale=[3,4]>(x) }",
        lambda x: x[:, :, 2:5, 1:5],
    ),
    "scaled-tanh": (
        1,
        "(float[6] x) => (float[6] y) { y = ScaledTanh<alpha=2.0, beta=0.5>(x) }",
        lambda x: 2 * np.tanh(x * 0.5),
    ),
    "thresholded": (
        8,
        "(float[6] x) => (float[6] y) { y = ThresholdedRelu<alpha=0.5>(x) }",
        lambda x: np.where(x > 0.5, x, 0),
    ),
    "newer": (28, "(float[6] x) => (float[6] y) { y = Relu(x) }", lambda x: np.maximum(x, 0)),
}


@pytest.mark.parametrize("name", CASES)
def test_what_old_sets_meant_is_kept(try_text: Try, name: str) -> None:
    opset, body, expected = CASES[name]
    tried = try_text(f'<ir_version: 3, opset_import: ["" : {opset}]> g {body}')
    wanted = np.stack([expected(x) for x in tried.samples["x"]])
    np.testing.assert_allclose(tried.outputs["y"], wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tried.reference["y"], wanted, rtol=1e-5, atol=1e-6)
    assert any(f"operator set {opset} was brought to" in note for note in tried.notes)
    assert tried.value["kind"] in ("original", "independent", "own")


def test_before_ir_version_3_there_was_one_set(try_text: Try) -> None:
    tried = try_text("<ir_version: 2> g (float[6] x) => (float[6] y) { y = Relu<consumed_inputs=[0]>(x) }")
    assert (tried.outputs["y"] == np.maximum(tried.samples["x"], 0)).all()
    assert (tried.value["kind"], tried.value["tool"][:14]) == ("independent", "onnx.reference")


def test_a_set_in_which_onnx_runtime_lacks_a_kernel_is_left_for_an_older_one(try_text: Try) -> None:
    body = "(float[1,2,3,4] x) => (float[1,2,1,1] y) { y = GlobalLpPool(x) }"
    tried = try_text(f'<ir_version: 10, opset_import: ["" : 22]> g {body}')
    wanted = np.sqrt((tried.samples["x"] ** 2).sum((3, 4), keepdims=True))
    np.testing.assert_allclose(tried.outputs["y"], wanted, rtol=1e-5)
    assert tried.notes == ["operator set 22 was brought to 21"]
    assert "GlobalLpPool(22)" in tried.value["reason"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            "(float[1,1,4,4] x) => (float[1,1,3,3] y) { y = AveragePool<kernel_shape=[2,2], pads=[1,1,0,0]>(x) }",
            "padding counts",
        ),
        ("(float[2,6] x) => (float[2,6] y) { y = GlobalLpPool<p=1.5>(x) }", "no whole number"),
        ('(float[2,6] x) => (float[2,6] y) { y = Cast<to="FLOOT">(x) }', "no type"),
        ("(float[1,1,4,4] x) => (float[1,1,3,3] y) { y = Crop<border=[1]>(x) }", "four numbers"),
        ("(float[2,6] x) => (float[2,6] y) { y = ATen(x) }", "ATen"),
    ],
)
def test_what_the_file_does_not_tell_is_refused_with_its_node(try_text: Try, body: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        try_text(f'<ir_version: 3, opset_import: ["" : 1]> g {body}')
    assert caught.value.where["op"]


@pytest.mark.slow
def test_the_real_opset_6_net_that_onnx_runtime_refuses(shared: Any, try_file: Try) -> None:
    tried = try_file(shared / "models" / "hls4ml_examples", "three_layer_bn_pytorch.onnx", count=1)
    assert tried.value["kind"] == "independent"
    assert "Gemm(6)" in tried.value["reason"]
    assert tried.error < 1e-5
