"""Every layer that a description may have, against Theano's operators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.errors import UserError

from .conftest import Import

TOLERANCE = 1e-5
PICTURE = [None, 4, 9, 8]


def layer(kind: str, *parameters: tuple[int, ...], **options: Any) -> tuple[dict[str, Any], list[tuple[int, ...]]]:
    return {"type": kind, **options}, list(parameters)


CONV, BIAS = (6, 4, 3, 3), (6,)
COMMON = {"num_filters": 6, "filter_size": 3}
CASES: dict[str, tuple[list[Any], list[Any]]] = {
    "conv": (PICTURE, [layer("Conv2DLayer", CONV, BIAS, **COMMON, stride=2, pad=1)]),
    "conv-same": (PICTURE, [layer("Conv2DLayer", CONV, BIAS, **COMMON, pad="same", nonlinearity="leaky_rectify")]),
    "conv-full": (PICTURE, [layer("Conv2DLayer", CONV, **COMMON, pad="full", b=None, nonlinearity=None)]),
    "conv-unflipped": (PICTURE, [layer("Conv2DLayer", CONV, BIAS, **COMMON, flip_filters=False)]),
    "conv-groups": (PICTURE, [layer("Conv2DLayer", (6, 2, 3, 3), BIAS, **COMMON, num_groups=2)]),
    "conv-untied": (PICTURE, [layer("Conv2DLayer", CONV, (6, 7, 6), **COMMON, untie_biases=True)]),
    "conv1d": ([None, 4, 9], [layer("Conv1DLayer", (6, 4, 3), BIAS, **COMMON, stride=2, pad=1)]),
    "conv3d": ([None, 2, 5, 5, 4], [layer("Conv3DLayer", (3, 2, 3, 3, 2), (3,), num_filters=3, filter_size=[3, 3, 2])]),
    "dilated": (PICTURE, [layer("DilatedConv2DLayer", (4, 6, 3, 3), BIAS, **COMMON, dilation=2)]),
    "transposed": (PICTURE, [layer("TransposedConv2DLayer", (4, 6, 3, 3), BIAS, **COMMON, stride=2, crop=1)]),
    "deconv-same": (PICTURE, [layer("Deconv2DLayer", (4, 6, 3, 3), BIAS, **COMMON, crop="same", flip_filters=True)]),
    "dense": (PICTURE, [layer("DenseLayer", (288, 5), (5,), num_units=5, nonlinearity="softmax")]),
    "dense-leading": ([None, 3, 4], [layer("DenseLayer", (4, 5), (5,), num_units=5, num_leading_axes=2)]),
    "nin": (PICTURE, [layer("NINLayer", (4, 5), (5,), num_units=5, nonlinearity="elu")]),
    "pool": (PICTURE, [layer("MaxPool2DLayer", pool_size=3, stride=2, pad=1)]),
    "pool-border": (PICTURE, [layer("MaxPool2DLayer", pool_size=3, stride=2, ignore_border=False)]),
    "pool-border-apart": (PICTURE, [layer("MaxPool2DLayer", pool_size=2, stride=3, ignore_border=False)]),
    "average": (PICTURE, [layer("Pool2DLayer", pool_size=[2, 3], pad=1, mode="average_inc_pad")]),
    "average-exc": (PICTURE, [layer("Pool2DLayer", pool_size=3, stride=2, pad=1, mode="average_exc_pad")]),
    "pool1d": ([None, 4, 9], [layer("MaxPool1DLayer", pool_size=2)]),
    "pool3d": ([None, 2, 6, 5, 4], [layer("MaxPool3DLayer", pool_size=2)]),
    "global": (PICTURE, [layer("GlobalPoolLayer")]),
    "global-max": (PICTURE, [layer("GlobalPoolLayer", pool_function="max")]),
    "batch-norm": (PICTURE, [layer("BatchNormLayer", (4,), (4,), (4,), (4,), epsilon=1e-4)]),
    "batch-norm-plain": ([None, 4], [layer("BatchNormLayer", (4,), (4,), beta=None, gamma=None)]),
    "lrn": (PICTURE, [layer("LocalResponseNormalization2DLayer", alpha=0.1, n=3, k=1, beta=0.5)]),
    "bias": (PICTURE, [layer("BiasLayer", (4,))]),
    "scale": (PICTURE, [layer("ScaleLayer", (4,))]),
    "prelu": (PICTURE, [layer("ParametricRectifierLayer", (4,))]),
    "flatten": (PICTURE, [layer("FlattenLayer", outdim=3)]),
    "reshape": (PICTURE, [layer("ReshapeLayer", shape=[[0], 8, -1])]),
    "shuffle": (PICTURE, [layer("DimshuffleLayer", pattern=[0, 2, "x", 3, 1])]),
    "upscale": (PICTURE, [layer("Upscale2DLayer", scale_factor=[2, 3])]),
    "pad": (PICTURE, [layer("PadLayer", width=[[1, 2], 3], val=0.5)]),
    "scaled-tanh": (PICTURE, [layer("NonlinearityLayer", nonlinearity={"name": "ScaledTanH", "scale_in": 0.5})]),
    "selu": (PICTURE, [layer("NonlinearityLayer", nonlinearity="selu")]),
    "dropout": (PICTURE, [layer("DropoutLayer", p=0.5), layer("GlobalPoolLayer")]),
    "branches": (
        PICTURE,
        [
            layer("NINLayer", (4, 4), (4,), num_units=4, name="a"),
            layer("NINLayer", (4, 4), num_units=4, name="b", incoming="input", b=None),
            layer("ElemwiseSumLayer", name="sum", incoming=["a", "b"]),
            layer("ElemwiseMergeLayer", name="mul", incoming=["a", "b"], merge_function="mul"),
            layer("ConcatLayer", incoming=["sum", "mul", "input"], axis=1),
        ],
    ),
}


@pytest.mark.interpreter
@pytest.mark.parametrize("name", CASES)
def test_layers(tmp_path: Path, imported: Import, name: str) -> None:
    shape, layers = CASES[name]
    random = np.random.default_rng(4)
    values = [random.uniform(-0.5, 0.5, size).astype("float32") for _, sizes in layers for size in sizes]
    np.savez(tmp_path / "net.npz", *values)
    model = imported(tmp_path / "net.npz", {"input": shape, "layers": [each for each, _ in layers]})
    assert model.worst(model.samples(model.random_inputs())) <= TOLERANCE


@pytest.mark.interpreter
def test_an_embedding(tmp_path: Path, imported: Import) -> None:
    table = np.random.default_rng(1).standard_normal((6, 3)).astype("float32")
    np.savez(tmp_path / "net.npz", table)
    layers = [{"type": "EmbeddingLayer", "input_size": 6, "output_size": 3}]
    model = imported(tmp_path / "net.npz", {"input": [None, 4], "dtype": "int32", "layers": layers})
    assert model.worst(model.samples(model.random_inputs())) <= TOLERANCE


@pytest.mark.parametrize(
    ("layers", "says", "node"),
    [
        ([{"type": "LSTMLayer", "name": "rnn"}], "is a LSTMLayer, which is not covered", "rnn"),
        ([{"type": "DenseLayer", "num_units": 4, "name": "d"}], "needs W of the shape \\(3, 4\\)", "d"),
        ([{"type": "DenseLayer", "num_units": 5, "name": "d", "gain": 2}], "has the arguments gain", "d"),
        ([{"type": "DropoutLayer"}], "2 parameters are left over", None),
        ([{"type": "DenseLayer", "num_units": 5, "incoming": "x"}], "takes 'x', which no layer", "DenseLayer_0"),
        ([{"num_units": 5}], 'layer 0 has no "type"', None),
        ([], 'has no list "layers"', None),
    ],
)
def test_refusals(tmp_path: Path, imported: Import, layers: Any, says: str, node: str | None) -> None:
    np.savez(tmp_path / "net.npz", np.zeros((3, 5), "float32"), np.zeros(5, "float32"))
    with pytest.raises(UserError, match=says) as caught:
        imported(tmp_path / "net.npz", {"input": [None, 3], "layers": layers})
    assert caught.value.where.get("node") == node
