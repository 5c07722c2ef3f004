"""The 8-bit operators: floats, quantised, the operator, dequantised. An output may be off by one step of its scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.frontends.caffe2.cases import Case

_STEP = 0.02
_QUANTISED = {"Y_scale": 0.01, "Y_zero_point": 128}
_CODES = {"scale": 0.01, "zero": 128}


def _int8(
    kind: str,
    *shape: int,
    weights: Mapping[str, Any] | None = None,
    name: str = "",
    second: Sequence[int] = (),
    step: float = _STEP,
    zero: int = 100,
    beside: Sequence[str] = (),
    **arguments: Any,
) -> Case:
    before = [("Int8Quantize", ["x"], ["q"], _QUANTISED)]
    feeds = {"x": list(shape)}
    inputs = ["q"]
    if second:
        before.append(("Int8Quantize", ["z"], ["p"], _QUANTISED))
        feeds["z"] = list(second)
        inputs.append("p")
    made = {"Y_scale": step, "Y_zero_point": zero, **arguments}
    net = [*before, (kind, [*inputs, *(weights or {})], ["r", *beside], made), ("Int8Dequantize", ["r"], ["y"], {})]
    return Case(f"{kind} {name}".strip(), net, feeds, weights or {}, step=step * 1.01)


def _cases() -> Iterator[Case]:
    yield _int8("Int8Relu", 1, 4, 5, 3, step=0.01, zero=128)
    conv = {"w": {"int8": [6, 3, 3, 4], **_CODES}, "b": {"int32": [6], "scale": 1e-4}}
    for kind in ("Int8Conv", "Int8ConvRelu"):
        yield _int8(kind, 1, 7, 6, 4, weights=conv, kernel=3, stride=2, pad=1, order="NHWC")
    depthwise = {"w": {"int8": [4, 3, 3, 1], **_CODES}, "b": {"int32": [4], "scale": 1e-4}}
    yield _int8("Int8Conv", 1, 7, 6, 4, weights=depthwise, kernel=3, group=4, order="NHWC", name="depthwise")
    turned = {"w": {"int8": [4, 3, 3, 6], **_CODES}, "b": {"int32": [6], "scale": 1e-4}}
    yield _int8("Int8ConvTranspose", 1, 4, 5, 4, weights=turned, kernel=3, stride=2, order="NHWC")
    dense = {"w": {"int8": [5, 24], **_CODES}, "b": {"int32": [5], "scale": 1e-4}}
    yield _int8("Int8FC", 2, 24, weights=dense)
    yield _int8("Int8FC", 2, 2, 3, 4, weights=dense, name="flattened")
    yield _int8("Int8MaxPool", 1, 6, 6, 3, kernel=2, stride=2, order="NHWC", step=0.01, zero=128)
    yield _int8("Int8AveragePool", 1, 6, 6, 3, kernel=2, stride=2, order="NHWC")
    yield _int8("Int8AveragePool", 1, 6, 6, 3, global_pooling=1, order="NHWC", name="global")
    for kind in ("Int8Add", "Int8Sum", "Int8AddRelu", "Int8SumRelu"):
        yield _int8(kind, 1, 4, 5, 3, second=[1, 4, 5, 3])
    yield _int8("Int8Concat", 1, 4, 5, 3, second=[1, 4, 5, 2], order="NHWC", step=0.01, zero=128)
    # One sample: of several, Caffe2's own computes only the first.
    yield _int8("Int8Sigmoid", 1, 5, step=1 / 256, zero=0)
    yield _int8("Int8Softmax", 2, 5, step=1 / 256, zero=0)
    yield _int8("Int8LeakyRelu", 2, 5, alpha=0.2, step=0.01, zero=128)
    yield _int8("Int8ChannelShuffle", 1, 4, 5, 6, group=2, kernel=1, order="NHWC", step=0.01, zero=128)
    yield _int8("Int8ResizeNearest", 1, 4, 5, 3, height_scale=2.0, width_scale=2.0, order="NHWC", step=0.01, zero=128)
    yield _int8("Int8Flatten", 2, 3, 4, step=0.01, zero=128)
    yield _int8("Int8Reshape", 2, 12, shape=[2, 3, 4], beside=["old"], step=0.01, zero=128)
    yield _int8("Int8Slice", 2, 3, 4, starts=[0, 1, 0], ends=[-1, -1, -1], step=0.01, zero=128)


INT8 = list(_cases())
