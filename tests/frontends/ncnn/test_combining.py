"""Layers of several blobs, and int8, against ncnn itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlpipe.errors import BadModel, Unsupported

from .conftest import difference, flagged

SHAPES = {"scalar": "0=1", "vector": "0=4", "row": "0=6", "matrix": "0=5 1=4", "image": "0=6 1=5 2=4",
          "thin": "0=1 1=1 2=4", "flat": "0=6 1=5 2=1", "volume": "0=6 1=5 11=3 2=4"}  # fmt: skip
# How blobs of different shapes are lined up.
TOGETHER = [("image", "vector"), ("vector", "image"), ("image", "row"), ("image", "matrix"), ("image", "thin"),
            ("flat", "image"), ("matrix", "vector"),
            ("image", "scalar"), ("scalar", "matrix"), ("volume", "vector"), ("image", "image")]  # fmt: skip


def test_operands_of_different_shapes(ncnn: Any) -> None:
    layers = [f"Input {name} 0 1 {name} {shape}" for name, shape in SHAPES.items()]
    for name in SHAPES:
        tops = [f"{name}_{index}_{side}" for index in range(len(TOGETHER)) for side in "ab"]
        layers.append(f"Split split_{name} 1 {len(tops)} {name} {' '.join(tops)}")
    for index, (one, other) in enumerate(TOGETHER):
        layers.append(f"BinaryOp op_{index} 2 1 {one}_{index}_a {other}_{index}_b out_{index} 0={[1, 3, 4][index % 3]}")
    outputs = tuple(f"out_{index}" for index in range(len(TOGETHER)))
    source = ncnn.source(layers)
    apart = difference(*ncnn.run(source, outputs=outputs))
    assert not {TOGETHER[int(name[4:])]: value for name, value in apart.items() if not value <= 1e-6}


def test_several_blobs(ncnn: Any) -> None:
    layers = [
        "Input a 0 1 a 0=6 1=5 2=4", "Input b 0 1 b 0=6 1=5 2=4", "Input c 0 1 c 0=3 1=2 2=4", "Input v 0 1 v 0=4",
        "MemoryData kept 0 1 m 0=6 1=5 2=4", "Split sa 1 9 a a0 a1 a2 a3 a4 a5 a6 a7 a8",
        "Split sb 1 5 b b0 b1 b2 b3 b4",
        "Eltwise prod 2 1 a0 b0 prod 0=0", "Eltwise sum 2 1 a1 b1 sum 0=1 -23301=2,0.5,-2.0",
        "Eltwise max 2 1 a2 b2 max 0=2",
        "Concat channels 2 1 a3 b3 channels 0=0", "Concat columns 2 1 a4 b4 columns 0=-1", "Split sc 1 2 c c0 c1",
        "Crop crop 2 1 a5 c0 crop 0=1 1=2", "ReLU used 1 1 c1 used",
        "Slice slice 1 3 a6 s0 s1 s2 -23300=3,1,-233,-233 1=2", "BinaryOp kept 2 1 a7 m kept 0=0",
        "Scale scale 2 1 a8 v scale 0=-233",
    ]  # fmt: skip
    weights = np.random.default_rng(2).normal(size=120).astype(np.float32)
    apart = difference(*ncnn.run(ncnn.source(layers, weights.tobytes())))
    assert len(apart) == 12
    assert max(apart.values()) <= 1e-6, apart


@pytest.mark.parametrize("requantised", [False, True])
def test_int8(ncnn: Any, requantised: bool) -> None:
    """Data and weights are rounded as ncnn rounds them: what is left are ties and sums in another order."""
    random = np.random.default_rng(3)
    more = 100 if requantised else 0
    layers = [
        "Input data 0 1 data 0=12 1=10 2=4",
        f"Convolution conv 1 1 data conv 0=8 1=3 4=1 5=1 6=288 8={2 + more} 9=1",
        "ConvolutionDepthWise deep 1 1 conv deep 0=8 1=3 5=1 6=72 7=8 8=1",
        "InnerProduct dense 1 1 deep dense 0=5 1=1 2=3200 8=2",
    ]
    weights = flagged(random.integers(-127, 128, 288).astype(np.int8)) + _floats(random.normal(size=8))
    weights += _floats(random.uniform(300, 900, 8)) + _floats([40.0]) + (_floats([15.0]) if requantised else b"")
    weights += flagged(random.integers(-127, 128, 72).astype(np.int8)) + _floats(random.normal(size=8))
    weights += _floats(random.uniform(300, 900, 8)) + _floats([15.0])
    weights += flagged(random.integers(-127, 128, 3200).astype(np.int8)) + _floats(random.normal(size=5))
    weights += _floats(random.uniform(300, 900, 5)) + _floats([20.0])
    apart = difference(*ncnn.run(ncnn.source(layers, weights)))
    assert apart["dense"] < 0.02


def _floats(values: Any) -> bytes:
    return np.asarray(values, np.float32).tobytes()


@pytest.mark.parametrize(
    ("layer", "error", "words"),
    [
        ("Yolov3DetectionOutput end 1 1 data out 0=80", Unsupported, "Yolov3DetectionOutput"),
        ("MyOwnLayer end 1 1 data out", Unsupported, "MyOwnLayer"),
        ("Convolution end 1 1 data out 0=2 1=1 6=8 19=1", Unsupported, "run time"),
        ("ReLU end 1 1 data out 7=3", Unsupported, "parameter 7=3"),
        ("Softmax end 1 1 data out 0=1", Unsupported, "old version"),
        ("Convolution end 1 1 data out 0=2 1=1 6=9", BadModel, "9 weights"),
        ("Convolution end 1 1 data out 0=2 1=1 6=8", BadModel, "do the .param and the .bin"),
        ("ReLU end 1 1 nothing out", BadModel, "no layer before it makes"),
        ("ReLU end 1 1 data out 0=x", BadModel, "no number"),
        ("ReLU end 1 1 data out -23300=3,1", BadModel, "an array of 3"),
        ("Reshape end 1 1 data out 0=7 1=9 2=5", BadModel, "end"),
        ("Permute end 1 1 data out 0=9", BadModel, "no order 9"),
    ],
)
def test_refusals_name_the_layer(ncnn: Any, layer: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        ncnn.ir(ncnn.source(["Input data 0 1 data 0=9 1=7 2=4", layer]))
    assert words in str(caught.value) + str(getattr(caught.value, "hint", ""))
    if "no layer before" not in words and layer.split()[1] != "end":
        assert "end" in str(caught.value)
