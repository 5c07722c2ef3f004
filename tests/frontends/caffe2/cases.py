"""One small net for each operator and each way it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Weights = Mapping[str, Mapping[str, Any]]


@dataclass
class Case:
    """`shapes`: input -> shape (floats in [low, high]) or the values themselves."""

    name: str
    operators: Sequence[tuple[str, Sequence[str], Sequence[str], Mapping[str, Any]]]
    shapes: Mapping[str, Any]
    weights: Weights = field(default_factory=dict)
    outputs: Sequence[str] = ("y",)  # those that are asked for
    low: float = -1.0
    high: float = 1.0
    step: float = 0.0  # an 8-bit output may be off by this much

    def __str__(self) -> str:
        return self.name


def one(
    kind: str,
    *shape: int,
    weights: Weights | None = None,
    name: str = "",
    outputs: Sequence[str] = ("y",),
    asked: Sequence[str] = (),
    more: Mapping[str, Any] | None = None,
    low: float = -1.0,
    high: float = 1.0,
    **arguments: Any,
) -> Case:
    """A net of one operator: x and the weights (and further inputs) to y."""
    feeds: dict[str, Any] = {"x": list(shape), **(more or {})}
    inputs = [*feeds, *(weights or {})]
    label = f"{kind} {name or ' '.join(f'{key}={value}' for key, value in arguments.items())}".strip()
    return Case(label, [(kind, inputs, list(outputs), arguments)], feeds, weights or {}, asked or outputs, low, high)


def shaped(*shape: int, low: float = -1.0, high: float = 1.0) -> dict[str, Any]:
    return {"shape": list(shape), "low": low, "high": high}


def _convolutions() -> Iterator[Case]:
    weights = {"w": shaped(6, 4, 3, 3), "b": shaped(6)}
    yield one("Conv", 2, 4, 9, 8, weights=weights, kernel=3)
    yield one("Conv", 1, 4, 9, 8, weights={"w": shaped(6, 4, 3, 3)}, kernel=3, stride=2, pad=1, name="without bias")
    yield one("Conv", 1, 4, 9, 8, weights=weights, kernels=[3, 3], strides=[2, 1], pads=[0, 1, 1, 2], name="lists")
    yield one("Conv", 1, 4, 9, 8, weights=weights, kernel_h=3, kernel_w=3, stride_h=2, stride_w=1, pad_t=1, pad_l=0,
              pad_b=2, pad_r=1, name="sides")  # fmt: skip
    yield one("Conv", 1, 4, 9, 8, weights=weights, kernel=3, dilation=2, pad=2)
    yield one("Conv", 1, 4, 9, 8, weights={"w": shaped(6, 2, 3, 3), "b": shaped(6)}, kernel=3, group=2)
    yield one("Conv", 1, 4, 9, 8, weights=weights, kernel=3, stride=2, legacy_pad=2, name="same")
    yield one("Conv", 1, 4, 9, 8, weights=weights, kernel=3, stride=2, legacy_pad=1, name="valid")
    yield one("Conv", 1, 9, 8, 4, weights={"w": shaped(6, 3, 3, 4), "b": shaped(6)}, kernel=3, order="NHWC")
    yield one("Conv1D", 1, 4, 9, weights={"w": shaped(6, 4, 3), "b": shaped(6)}, kernels=[3], pads=[1, 1])
    yield one("Conv3D", 1, 2, 5, 6, 7, weights={"w": shaped(4, 2, 3, 3, 3), "b": shaped(4)}, kernels=[3, 3, 3])
    turned = {"w": shaped(4, 6, 3, 3), "b": shaped(6)}
    yield one("ConvTranspose", 1, 4, 5, 6, weights=turned, kernel=3, stride=2)
    yield one("ConvTranspose", 1, 4, 5, 6, weights=turned, kernel=3, stride=2, pad=1, adj=1)
    yield one("ConvTranspose", 1, 5, 6, 4, weights={"w": shaped(4, 3, 3, 6), "b": shaped(6)}, kernel=3, stride=2,
              order="NHWC")  # fmt: skip


def _pools() -> Iterator[Case]:
    for kind in ("MaxPool", "AveragePool"):
        yield one(kind, 1, 3, 9, 8, kernel=3, stride=2)
        yield one(kind, 1, 3, 9, 8, kernel=3, stride=2, pad=1)
        yield one(kind, 1, 3, 8, 8, kernel=3, stride=2, legacy_pad=3, name="rounded up")
        yield one(kind, 1, 3, 7, 9, kernel=2, stride=2, pad=1, legacy_pad=3, name="rounded up, padded")
        yield one(kind, 1, 3, 8, 6, kernel=3, stride=2, pad=1, legacy_pad=3, name="rounded up, ends in the padding")
        yield one(kind, 1, 3, 9, 8, kernel=3, stride=2, legacy_pad=2, name="same")
        yield one(kind, 1, 3, 9, 8, kernel_h=3, kernel_w=2, stride_h=1, stride_w=2, name="sides")
        yield one(kind, 1, 3, 9, 8, global_pooling=1)
        yield one(kind, 1, 9, 8, 3, kernel=3, stride=2, pad=1, order="NHWC")
        yield one(kind, 1, 9, 8, 3, global_pooling=1, order="NHWC")
    yield one("AveragePool", 1, 3, 9, 8, kernel=3, stride=2, pad=1, count_include_pad=1)
    yield one("MaxPool1D", 1, 3, 9, kernels=[3], strides=[2])
    yield one("AveragePool3D", 1, 2, 5, 6, 7, kernels=[3, 2, 2], strides=[2, 2, 2])
    yield one("LpPool", 1, 3, 9, 8, kernel=3, stride=2, p=2.0)


def _norms() -> Iterator[Case]:
    statistics = {"s": shaped(4), "b": shaped(4), "u": shaped(4), "v": shaped(4, low=0.1)}
    yield one("SpatialBN", 2, 4, 5, 6, weights=statistics, is_test=1, epsilon=1e-3)
    yield one("SpatialBN", 2, 5, 6, 4, weights=statistics, is_test=1, order="NHWC")
    affine = {"s": shaped(4), "t": shaped(4)}
    yield one("InstanceNorm", 2, 4, 5, 6, weights=affine, epsilon=1e-3)
    yield one("InstanceNorm", 2, 5, 6, 4, weights=affine, order="NHWC")
    yield one("GroupNorm", 2, 4, 5, 6, weights=affine, group=2, outputs=("y", "m", "d"), asked=("y",))
    yield one("GroupNorm", 2, 5, 6, 4, weights=affine, group=2, order="NHWC", outputs=("y", "m", "d"),
              asked=("y",))  # fmt: skip
    yield one("AffineChannel", 2, 4, 5, 6, weights=affine)
    yield one("AffineChannel", 2, 5, 6, 4, weights=affine, order="NHWC")
    yield one("LRN", 1, 6, 4, 5, size=5, alpha=0.5, beta=0.75, bias=2.0)
    yield one("LRN", 1, 4, 5, 6, size=3, alpha=0.5, beta=0.75, order="NHWC")
    yield one("LayerNorm", 3, 4, 5, outputs=("y", "m", "d"))
    yield one("LayerNorm", 3, 4, 5, axis=2, epsilon=0.1, outputs=("y", "m", "d"))
    yield one("Normalize", 3, 4, 5)
    yield one("Normalize", 3, 4, 5, axis=1)
    yield one("NormalizeL1", 3, 4, axis=1)


def _unary() -> Iterator[Case]:
    for kind in ("Relu", "Sigmoid", "Tanh", "Exp", "Abs", "Negative", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan",
                 "Sinh", "Cosh", "Softsign", "Sign", "Floor", "Ceil", "Softplus", "Sqr", "Cube", "Cbrt", "Swish",
                 "Elu", "Selu", "LeakyRelu", "HardSigmoid", "Copy", "StopGradient", "ReplaceNaN"):  # fmt: skip
        yield one(kind, 2, 3, 4)
    for kind in ("Log", "Sqrt", "Rsqrt", "Logit", "Reciprocal"):
        yield one(kind, 2, 3, 4, low=0.1, high=0.9)
    yield one("Elu", 2, 3, alpha=0.5)
    yield one("Selu", 2, 3, alpha=1.5, scale=1.2)
    yield one("LeakyRelu", 2, 3, alpha=0.2)
    yield one("ThresholdedRelu", 2, 3, alpha=0.3)
    yield one("HardSigmoid", 2, 3, alpha=0.3, beta=0.4)
    yield one("Clip", 2, 3, min=-0.5, max=0.25)
    yield one("Clip", 2, 3, max=0.25)
    yield one("ReluN", 2, 3, n=0.5)
    yield one("Scale", 2, 3, scale=2.5)
    yield one("PRelu", 2, 3, 4, 5, weights={"s": shaped(3)})
    yield one("PRelu", 2, 4, 5, 3, weights={"s": shaped(3)}, order="NHWC")
    yield one("PRelu", 2, 3, 4, 5, weights={"s": shaped(1)}, name="one slope")
    yield one("Dropout", 2, 3, is_test=1, ratio=0.4, outputs=("y", "mask"), asked=("y",))
    yield one("Cast", 2, 3, to=2, low=-9, high=9)
    yield one("Cast", 2, 3, to="int64", low=-9, high=9)


def _binary() -> Iterator[Case]:
    for kind in ("Add", "Sub", "Mul", "Div"):
        yield one(kind, 2, 3, 4, 5, more={"z": [2, 3, 4, 5]})
        yield one(kind, 2, 3, 4, 5, weights={"w": shaped(3, low=0.5)}, broadcast=1, axis=1)
        yield one(kind, 2, 3, 4, 5, weights={"w": shaped(4, 5, low=0.5)}, broadcast=1)
    yield one("Add", 2, 3, 4, 5, weights={"w": shaped(3)}, broadcast=1, axis_str="C", order="NCHW")
    yield one("Mul", 2, 3, 4, 5, weights={"w": shaped(1)}, broadcast=1)
    yield one("Add", 2, 3, 4, weights={"w": shaped(3, 1)}, name="as numpy broadcasts")
    yield one("Pow", 2, 3, exponent=2.0)
    yield one("Pow", 2, 3, weights={"w": shaped(2, 3, low=1, high=2)}, low=0.5, name="two values")
    for kind in ("LT", "GT", "LE", "GE"):
        yield one(kind, 2, 3, 4, more={"z": [2, 3, 4]})
    for kind in ("Sum", "Max", "Min", "Mean"):
        yield one(kind, 2, 3, more={"z": [2, 3], "u": [2, 3]})
    yield one("ElementwiseLinear", 3, 4, weights={"a": shaped(4), "b": shaped(4)})
    yield one("RowMul", 3, 4, weights={"w": shaped(3)})
    for kind in ("DotProduct", "SquaredL2Distance", "L1Distance", "CosineSimilarity"):
        yield one(kind, 3, 4, more={"z": [3, 4]})
    yield Case(
        "Where", [("GT", ["x", "z"], ["c"], {}), ("Where", ["c", "x", "z"], ["y"], {})], {"x": [2, 3], "z": [2, 3]}
    )


def _matrices() -> Iterator[Case]:
    yield one("FC", 3, 4, weights={"w": shaped(5, 4), "b": shaped(5)})
    yield one("FC", 3, 4, 2, weights={"w": shaped(5, 8), "b": shaped(5)}, name="flattened")
    yield one("FC", 3, 2, 4, weights={"w": shaped(5, 4), "b": shaped(5)}, axis=2)
    yield one("FC", 3, 8, weights={"w": shaped(5, 4, 2), "b": shaped(5)}, name="weights of three dims")
    yield one("FCTransposed", 3, 4, weights={"w": shaped(4, 5), "b": shaped(5)})
    yield one("MatMul", 3, 4, weights={"w": shaped(4, 5)})
    yield one("MatMul", 4, 3, weights={"w": shaped(5, 4)}, trans_a=1, trans_b=1)
    yield one("BatchMatMul", 2, 3, 4, weights={"w": shaped(2, 4, 5)})
    yield one("BatchMatMul", 2, 4, 3, weights={"w": shaped(2, 5, 4)}, trans_a=1, trans_b=1)
    yield one("Softmax", 3, 4)
    yield one("Softmax", 3, 4, 1, 1, name="of channels")
    yield one("Softmax", 2, 3, 4, 5, name="of all dims")
    yield one("Softmax", 2, 3, 4, axis=2)


def _shaping() -> Iterator[Case]:
    yield one("Reshape", 2, 3, 4, shape=[0, -1], outputs=("y", "old"))
    yield one("Reshape", 2, 3, 4, shape=[2, 2, 6], outputs=("y", "old"))
    yield one("Reshape", 2, 3, 4, shape=[-1, 12], outputs=("y", "old"))
    yield one(
        "Reshape", 2, 12, weights={"s": {"values": [-1, 4, 3], "type": "l"}}, outputs=("y", "old"), name="by input"
    )
    yield one("Flatten", 2, 3, 4)
    yield one("Flatten", 2, 3, 4, axis=2)
    yield one("FlattenToVec", 2, 3, 4)
    yield one("ResizeLike", 2, 6, more={"z": [2, 3, 2]})
    yield one("MergeDim", 2, 3, 4)
    yield one("PrependDim", 4, 3, dim_size=2)
    yield one("ExpandDims", 2, 3, dims=[0, 2])
    yield one("Squeeze", 1, 3, 1, 4, dims=[0, 2])
    yield one("Transpose", 2, 3, 4)
    yield one("Transpose", 2, 3, 4, axes=[0, 2, 1])
    yield one("NCHW2NHWC", 2, 3, 4, 5)
    yield one("NHWC2NCHW", 2, 3, 4, 5)
    yield one("Concat", 2, 3, 4, more={"z": [2, 5, 4]}, outputs=("y", "sizes"))
    yield one("Concat", 2, 3, 4, 5, more={"z": [2, 3, 4, 2]}, order="NHWC", outputs=("y", "sizes"))
    yield one("Concat", 2, 3, more={"z": [2, 3]}, axis=1, add_axis=1, outputs=("y", "sizes"))
    yield one("Split", 2, 6, 4, outputs=("y", "z"))
    yield one("Split", 2, 6, 4, axis=1, split=[1, 2, 3], outputs=("y", "z", "u"))
    yield one("Split", 2, 3, 4, 6, order="NHWC", outputs=("y", "z"))
    yield one("Slice", 4, 5, starts=[1, 0], ends=[3, -1])
    yield one("Slice", 4, 5, starts=[0, 1], ends=[-1, -3])
    yield one("Shape", 2, 3, 4)
    yield one("Gather", 5, 3, weights={"i": {"values": [4, 0, 2], "type": "i"}}, name="constant places")
    yield one("BatchGather", 2, 5, 3, weights={"i": {"values": [4, 0, 2], "type": "i"}}, name="constant places")
    yield one("BatchPermutation", 4, 3, weights={"i": {"values": [2, 0, 3, 1], "type": "i"}}, name="of regions")
    yield one("Tile", 2, 3, tiles=3, axis=1)
    yield one("ChannelShuffle", 1, 6, 4, 5, group=3, kernel=1)
    yield one("ChannelShuffle", 1, 4, 5, 6, group=2, kernel=1, order="NHWC")
    yield one("ResizeNearest", 1, 2, 4, 5, height_scale=2.0, width_scale=1.5)
    yield one("UpsampleBilinear", 1, 2, 4, 5, height_scale=2.0, width_scale=2.0)
    for mode in ("constant", "reflect", "edge"):
        yield one("PadImage", 1, 2, 4, 5, pad_t=1, pad_l=2, pad_b=0, pad_r=1, mode=mode)
    yield one("PadImage", 1, 4, 5, 2, pad=1, mode="reflect", order="NHWC")
    yield one("PadImage", 1, 2, 4, 5, pad=1, value=0.5)


def _reducing() -> Iterator[Case]:
    for kind in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2"):
        yield one(kind, 2, 3, 4, axes=[1], keepdims=0)
        yield one(kind, 2, 3, 4, axes=[0, 2])
    for kind in (
        "ReduceFrontSum",
        "ReduceFrontMean",
        "ReduceFrontMax",
        "ReduceBackSum",
        "ReduceBackMean",
        "ReduceBackMax",
    ):
        yield one(kind, 2, 3, 4, num_reduce_dim=2 if "Front" in kind else 1)
    yield one("RowwiseMax", 2, 3, 4)
    yield one("ColwiseMax", 2, 3, 4)
    yield one("SumElements", 2, 3)
    yield one("SumSqrElements", 2, 3)
    yield one("ArgMax", 2, 3, 4, axis=1)
    yield one("ArgMin", 2, 3, 4, keepdims=0)
    yield one("TopK", 3, 6, k=2, outputs=("y", "places"))
    yield one(
        "OneHot",
        weights={"n": {"values": [5], "type": "l"}},
        more={"x": {"values": [3, 0, 4], "dtype": "int64"}},
        name="of places",
    )
    yield Case("ConstantFill", [("ConstantFill", ["x"], ["c"], {"value": 2.0}), ("Add", ["x", "c"], ["y"], {})],
               {"x": [2, 3]})  # fmt: skip


CASES = [
    *_convolutions(), *_pools(), *_norms(), *_unary(), *_binary(), *_matrices(), *_shaping(), *_reducing(),
]  # fmt: skip
