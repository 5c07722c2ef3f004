"""Operators that early ONNX had on trial, and that old exporters still wrote."""

from collections.abc import Callable
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from . import writing

DOMAIN = "dlpipe.legacy"  # where they stand while the rest of the model is brought to a newer operator set


def _affine(node: Any, writer: writing.Writer, given: dict[str, Any]) -> str:
    scaled = writer.op("Mul", node.input[0], writer.constant(given.get("alpha", 1.0), "alpha"))
    return writer.op("Add", scaled, writer.constant(given.get("beta", 0.0), "beta"))


def _image_scaler(node: Any, writer: writing.Writer, given: dict[str, Any]) -> str:
    """[N, C, H, W] times a scale, plus a bias per channel."""
    scaled = writer.op("Mul", node.input[0], writer.constant(given.get("scale", 1.0), "scale"))
    bias = np.asarray(given.get("bias", [0.0])).reshape(-1, 1, 1)
    return writer.op("Add", scaled, writer.constant(bias, "bias"))


def _scale(node: Any, writer: writing.Writer, given: dict[str, Any]) -> str:
    return writer.op("Mul", node.input[0], writer.constant(given.get("scale", 1.0), "scale"))


def _bent(kind: str) -> Callable[[Any, writing.Writer, dict[str, Any]], str]:
    """alpha * kind(beta * x)"""

    def write(node: Any, writer: writing.Writer, given: dict[str, Any]) -> str:
        if "alpha" not in given or "beta" not in given:
            raise Refused(f"{node.op_type} without alpha and beta", node=node.name, op=node.op_type)
        inner = writer.op("Mul", node.input[0], writer.constant(given["beta"], "beta"))
        return writer.op("Mul", writer.op(kind, inner), writer.constant(given["alpha"], "alpha"))

    return write


def _crop(node: Any, writer: writing.Writer, given: dict[str, Any]) -> str:
    """[N, C, H, W] without a border of left, top, right, bottom; `scale` = height, width of what is left."""
    border, size = given.get("border"), given.get("scale")
    if border is None or len(border) != 4 or (size is not None and len(size) != 2):
        raise Refused("Crop needs a border of four numbers", node=node.name, op=node.op_type)
    left, top, right, bottom = border
    far = np.iinfo(np.int64).max
    ends = [top + size[0], left + size[1]] if size else [-bottom or far, -right or far]
    parts = [writer.constant(each, "crop", np.int64) for each in ([top, left], ends, [2, 3])]
    return writer.op("Slice", node.input[0], *parts)


def _thresholded(node: Any, writer: writing.Writer, given: dict[str, Any]) -> str:
    return writer.op("ThresholdedRelu", node.input[0], alpha=given.get("alpha", 1.0))


_THRESHOLDED = 10  # the set in which it came back
_WRITE = {
    "Affine": _affine,
    "ImageScaler": _image_scaler,
    "Scale": _scale,
    "ScaledTanh": _bent("Tanh"),
    "ParametricSoftplus": _bent("Softplus"),
    "Crop": _crop,
    "ThresholdedRelu": _thresholded,
}


NAMES = frozenset(_WRITE)


def is_legacy(node: Any, opset: int) -> bool:
    on_trial = node.op_type != "ThresholdedRelu" or opset < _THRESHOLDED
    return node.op_type in _WRITE and on_trial and node.domain in ("", "ai.onnx")


def lower(model: Any) -> list[str]:
    """Replaces them in place, at operator set 13 or later; returns what to say of it."""

    def wanted(node: Any) -> writing.Replace | None:
        return _replace if node.domain == DOMAIN else None

    gone = writing.replace_nodes(model, wanted)
    names = sorted({str(node.op_type) for node in gone})
    return [f"{', '.join(names)}: operators that ONNX had on trial, written as standard ones"] if gone else []


def _replace(node: Any, writer: writing.Writer) -> None:
    if len(node.input) != 1 or len(node.output) != 1:
        raise Refused(f"{node.op_type} with {len(node.input)} inputs", node=node.name, op=node.op_type)
    _WRITE[node.op_type](node, writer, writing.attributes(node))
    writer.nodes[-1].output[0] = node.output[0]
