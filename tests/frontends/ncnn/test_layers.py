"""Layers against ncnn itself: many side by side on one input, so that a whole group costs one run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .conftest import difference, flagged

INPUTS = {"vector": "0=6", "matrix": "0=6 1=5", "image": "0=9 1=7 2=4", "volume": "0=4 1=5 11=3 2=2"}

# On which input, a layer's type and parameters, and its weights: numbers alone are float32 without a word before them,
# "w" before a number: with it.
ANY = [
    "AbsVal", "ReLU", "ReLU 0=0.1", "ReLU 0=2", "ELU 0=0.7", "SELU", "GELU", "GELU 0=1", "Swish", "Mish", "Sigmoid",
    "TanH", "HardSigmoid", "HardSwish 0=0.16667 1=0.5", "Clip 0=-0.5 1=0.7", "Softplus", "BNLL", "Erf", "CELU 0=0.5",
    "Threshold 0=0.2", "Exp 1=0.5 2=0.1", "Exp 0=2.0", "Dropout", "Dropout 0=0.5", "Noop", "Softmax 0=0 1=1",
    "Flatten", "BinaryOp 0=2 1=1 2=1.5", "BinaryOp 0=7 1=1 2=1.5", "BinaryOp 0=1 1=1 2=2", "BinaryOp 0=4 1=1 2=0.1",
    *(f"UnaryOp 0={kind}" for kind in (0, 1, 2, 3, 4, 7, 9, 10, 14, 16, 18, 19)),
    *(f"Reduction 0={kind} 1=1" for kind in (0, 1, 2, 3, 4, 5, 7, 8, 10)), "Reduction 0=3 1=0 -23303=1,0 4=1 5=1",
    "PReLU 0=1 | 1",
]  # fmt: skip
POSITIVE = ["UnaryOp 0=5", "UnaryOp 0=6", "UnaryOp 0=8", "UnaryOp 0=15", "UnaryOp 0=17", "Log 1=0.5 2=0.1",
            "BinaryOp 0=6 1=1 2=1.5", "BinaryOp 0=8 1=1 2=1.5", "BinaryOp 0=9 1=1 2=1.5", "Power 0=2.5 1=0.5 2=0.1",
            "Reduction 0=9", "Reduction 0=6"]  # fmt: skip
IMAGE = [
    "Convolution 0=3 1=3 5=1 6=108 | w108 3", "Convolution 0=3 1=3 11=2 2=2 3=2 13=1 4=1 14=2 15=0 16=1 6=72 | w72",
    "Convolution 0=3 1=3 3=2 4=-233 6=108 9=2 -23310=1,0.2 | w108",
    "Convolution 0=3 1=3 3=2 4=-234 6=108 9=3 -23310=2,-0.3,0.4 | w108", "Convolution 0=2 1=1 6=8 9=1 | w8",
    "Convolution 0=2 1=1 6=8 9=4 | w8", "Convolution 0=2 1=1 6=8 9=5 | w8",
    "Convolution 0=2 1=1 6=8 9=6 -23310=2,0.2,0.5 | w8", "Convolution 0=2 1=3 4=1 6=72 18=0.5 | h72",
    "ConvolutionDepthWise 0=4 1=3 4=1 5=1 6=36 7=4 | w36 4", "ConvolutionDepthWise 0=6 1=3 6=108 7=2 | w108",
    "Deconvolution 0=3 1=3 3=2 5=1 6=108 | w108 3", "Deconvolution 0=3 1=4 11=3 3=2 4=1 18=1 6=144 | w144",
    "Deconvolution 0=3 1=3 3=2 4=-233 20=18 21=14 6=108 | w108",
    "Deconvolution 0=3 1=3 3=2 4=-234 20=18 21=14 6=108 | w108",
    "DeconvolutionDepthWise 0=4 1=3 3=2 4=1 6=36 7=4 | w36", "DeconvolutionDepthWise 0=6 1=2 2=2 6=48 7=2 | w48",
    "InnerProduct 0=5 1=1 2=1260 9=1 | w1260 5",
    *(f"Pooling 0={kind} 1=3 2=2 3={pad}" for kind in (0, 1) for pad in ("1 5=0", "1 5=1", "0 5=2", "0 5=3")),
    "Pooling 0=1 1=3 2=2 3=1 6=1", "Pooling 0=1 1=2 2=2 6=1 5=1", "Pooling 0=0 1=2 11=3 2=2 12=1 3=0 13=1",
    "Pooling 4=1", "Pooling 0=1 4=1", "Pooling 0=1 7=1 8=1", "Pooling 0=1 7=1 8=3 18=7", "Pooling 0=1 7=1 8=4 18=3",
    "Pooling 0=0 7=1 8=3 18=-233", "BatchNorm 0=4 1=1e-3 | 4 4 +4 4", "Scale 0=4 1=1 | 4 4", "Scale 0=4 | 4",
    "Bias 0=4 | 4", "PReLU 0=4 | 4", "LRN 1=3 2=0.5", "LRN 0=1 1=3 2=0.5 3=0.5 4=2.0", "Normalize 0=0 3=4 4=1 | 4",
    "Normalize 0=1 1=1 3=1 4=0 | 1", "Normalize 0=1 1=0 3=4 4=1 9=1 2=0.1 | 4", "MVN 0=1 1=0", "MVN 0=0 1=1",
    "MVN 0=1 1=1",
    "InstanceNorm 0=4 | 4 4", "InstanceNorm 0=4 2=0", "GroupNorm 0=2 1=4 | 4 4", "LayerNorm 0=9 | 9 9",
    "LayerNorm 0=63 1=1e-5 2=0",
    "Softmax 0=1 1=1", "Softmax 0=2 1=1", "Softmax 0=-1 1=1", "Interp 0=1 1=2.0 2=3.0", "Interp 0=2 1=2.0 2=2.0",
    "Interp 0=1 3=10 4=13", "Interp 0=2 3=5 4=20", "Interp 0=2 3=5 4=20 6=1", "Interp 0=3 3=15 4=20",
    "Interp 0=3 1=2.0 2=2.0", "Interp 0=2 1=0.5 2=0.5", "PixelShuffle 0=2", "PixelShuffle 0=2 1=1",
    "ShuffleChannel 0=2",
    "ShuffleChannel 0=2 1=1", *(f"Permute 0={kind}" for kind in range(6)), "Reshape 0=3 1=-1", "Reshape 0=0 1=-1 2=2",
    "Reshape 0=252", "Reshape 0=7 1=9 2=0", "Crop 0=1 1=2 2=1 3=3 4=-233 5=2",
    "Crop 3=-233 4=-233 5=-233 6=2 7=1 8=1",
    "Crop -23309=2,1,2 -23310=2,3,-1 -23311=2,0,2", "Crop -23309=1,-3 -23310=1,-233 -23311=1,1",
    "Padding 0=1 1=2 2=3 3=0 5=0.5", "Padding 0=1 1=2 2=3 3=1 4=1", "Padding 0=1 1=2 2=3 3=1 4=2",
    "Padding 7=1 8=2 2=1",
    "Reduction 0=3 1=0 -23303=2,1,2 5=1", "Reduction 0=4 1=0 -23303=1,0 5=1",
    "Reduction 0=0 1=0 -23303=2,-1,-2 4=1 5=1 2=0.5",
    "ExpandDims -23303=1,0", "Tile 0=1 1=2", "Tile -23302=3,2,1,3",
]  # fmt: skip
MATRIX = [
    "InnerProduct 0=4 1=1 2=24 | w24 4", "InnerProduct 0=3 2=90 | w90", "Permute 0=1", "Reshape 0=5 1=3 2=-1",
    "Softmax 0=1 1=1", "LayerNorm 0=6 | 6 6", "BatchNorm 0=5 1=1e-3 | 5 5 +5 5", "Scale 0=5 | 5",
    "ExpandDims -23303=1,1",
    "LSTM 0=3 1=72 | w72 w12 w36", "LSTM 0=3 1=144 2=2 | w144 w24 w72", "LSTM 0=3 1=72 2=1 | w72 w12 w36",
    "GRU 0=3 1=54 | w54 w12 w27", "GRU 0=3 1=108 2=2 | w108 w24 w54", "RNN 0=3 1=18 | w18 w3 w9",
    "Padding 0=1 1=0 2=2 3=1 5=1.5", "Crop -23309=1,1 -23310=1,4 -23311=1,1", "Reduction 0=3 1=0 -23303=1,1 5=1",
    "MultiHeadAttention 0=6 1=2 2=36 | w36 6 w36 6 w36 6 w36 6", "Gemm 3=1 5=1 6=1 8=4 9=6 10=4 | w24 w4",
    "Gemm 0=0.5 5=1 6=1 8=4 9=6 10=-1 | w24", "PReLU 0=5 | 5",
]  # fmt: skip
VECTOR = [
    "InnerProduct 0=4 1=1 2=24 9=2 -23310=1,0.1 | w24 4", "Convolution 0=3 1=1 5=1 6=18 | w18 3",
    "Scale 0=6 1=1 | 6 6",
    "BatchNorm 0=6 | 6 6 +6 6", "Reshape 0=2 1=3", "Reshape 0=1 1=1 2=-1", "PReLU 0=6 | 6", "Interp 3=3 4=2 0=2",
    "Padding 2=2 3=1 5=1.5", "Crop 0=1 3=3",
]  # fmt: skip
VOLUME = ["ReLU", "Permute 0=5", "Permute 0=14", "Reshape 0=-1 1=3 2=4", "Softmax 0=3 1=1"]
GROUPS = {
    **{f"any-{kind}": (kind, ANY) for kind in INPUTS},
    "positive": ("image", POSITIVE),
    "image": ("image", IMAGE),
    "matrix": ("matrix", MATRIX),
    "vector": ("vector", VECTOR),
    "volume": ("volume", VOLUME),
}


def _weights(text: str, random: Any) -> bytes:
    data = b""
    for word in text.split():
        size = int(word.lstrip("wh+"))
        array = random.normal(size=size).astype(np.float32) * 0.5
        if word[0] == "+":
            array = np.abs(array) + 0.1
        if word[0] == "h":
            array = array.astype(np.float16)
        data += flagged(array) if word[0] in "wh" else array.tobytes()
    return data


@pytest.mark.parametrize("group", GROUPS)
def test_layers(ncnn: Any, group: str) -> None:
    kind, wanted = GROUPS[group]
    random = np.random.default_rng(1)
    names = [f"data_{index}" for index in range(len(wanted))]
    layers = [f"Input data 0 1 data {INPUTS[kind]}", f"Split split 1 {len(names)} data {' '.join(names)}"]
    weights = b""
    for index, text in enumerate(wanted):
        words, _, needs = text.partition("|")
        name, _, params = words.strip().partition(" ")
        layers.append(f"{name} layer_{index} 1 1 data_{index} out_{index} {params}")
        weights += _weights(needs, random)
    shape = [int(each.split("=")[1]) for each in INPUTS[kind].split()][::-1]
    if kind == "volume":
        shape = [2, 3, 5, 4]
    data = np.random.default_rng(0).normal(size=shape)
    given = np.abs(data) + 0.1 if group == "positive" else data
    apart = difference(*ncnn.run(ncnn.source(layers, weights), {"data": given}))
    wrong = {wanted[int(name.split("_")[1])]: value for name, value in apart.items() if not value <= 1e-5}
    assert not wrong
