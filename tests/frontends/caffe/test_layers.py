"""Every layer, alone: the import against OpenCV where it computes what Caffe does, and against our interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .layer_cases import CASES

# What OpenCV cannot run, or gets wrong (see opencv_limits.py): dlpipe's interpreter is the reference there, and named.
OWN = set(
    """batch norm, scaled by itself|bn of segnet|bn of pspnet
    |convolution, depthwise by type|convolution, three axes|deconvolution, dilated|max pooling, rounded down
    |pooling with its mask and unpooling|pyramid, max|pyramid, average|lrn across|lrn, as declared
    |inner product, transposed|inner product, last axis|scale by a blob, with a bias|bias|bias by a blob|axpy
    |concat, by its old name|slice, equal parts|split|log|log, base 10|clip|swish, steeper|threshold|argmax
    |argmax, whole sample|argmax, axis|argmax, values along an axis|permute, the rest follows|tile|reduction, sum
    |reduction, absolute|reduction, squares|reduction, mean|mvn, across|embed|dropout, scaled at test time|dummy data
    |parameter|silence|batch reindex|interp, shrink|interp, cropped|upsample|lstm|lstm, static input
    |lstm, memory given|rnn|prior boxes, not flipped|detections, a box per class""".replace("\n    ", "").split("|")
)
TOLERANCE = 2e-5  # of the output's range; float32 sums of a few hundred numbers


@pytest.mark.parametrize("name", CASES)
def test_layer(caffe: Any, name: str) -> None:
    inputs, layers, shapes = CASES[name]
    random = np.random.default_rng(len(name))
    blobs = {
        layer: [_blob(random, layers, index, shape) for index, shape in enumerate(each)]
        for layer, each in shapes.items()
    }
    head = "".join(
        f'layer {{ name: "{each}" type: "Input" top: "{each}" input_param {{ shape {{ {_dims(shape)} }} }} }}\n'
        for each, shape in inputs.items()
    )
    feeds = {each: _feed(random, name, each, shape) for each, shape in inputs.items()}
    ran = caffe.run(caffe.source(head + layers, blobs), feeds)
    assert (ran.kind == "own") == (name in OWN), ran.note
    assert ran.difference() < TOLERANCE
    assert ran.to_interpreter() < TOLERANCE


def _dims(shape: list[int]) -> str:
    return " ".join(f"dim: {dim}" for dim in shape)


def _blob(random: Any, layers: str, index: int, shape: tuple[int, ...]) -> Any:
    if ("BatchNorm" in layers or "BN" in layers) and index:  # variances, then the weight of the moving average
        return random.uniform(0.5, 2, shape).astype(np.float32)
    return (random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def _feed(random: Any, name: str, each: str, shape: list[int]) -> Any:
    shape = [2, *shape]
    if name.startswith("embed") or each == "i":
        return random.integers(0, 4, shape).astype(np.float32)
    if each == "cont":
        return (random.random(shape) > 0.3).astype(np.float32)
    if name.startswith("roi") and each == "r":
        corners = np.sort(random.integers(0, 20, [*shape[:2], 2, 2]), axis=2).reshape(*shape[:2], 4)
        return np.concatenate([np.zeros([*shape[:2], 1]), corners], 2).astype(np.float32)
    if each == "conf":
        return random.permutation(np.linspace(0, 1, int(np.prod(shape)))).reshape(shape).astype(np.float32)
    return random.standard_normal(shape).astype(np.float32) * (0.3 if each == "loc" else 1)
