"""Resizing."""

import numpy as np

from .channels_last import NHWC
from .elementwise import arranged
from .graph import Array
from .handlers import handles
from .reading import Node
from .scope import Scope

_WAYS: tuple[dict[str, bool], ...] = (
    {},
    {"halfPixelCenters": True},
    {"alignCorners": True},
)  # that TFLite has of finding where a place comes from


@handles("Resize")
def _resize(s: Scope, node: Node) -> None:
    found, name = s.value(node.inputs[0]), node.outputs[0]
    mode = node.get("mode", "nearest")
    before, after = found.shape, s.shape(name)
    if len(before) != 4 or before[:2] != after[:2] or mode not in ("nearest", "linear") or node.get("antialias", 0):
        raise node.refuse("TFLite resizes height and width of images, to the nearest or linearly")
    if found.is_int8 and mode == "linear":
        found = s.real(node.inputs[0])
    tensor, order = s.laid(found, NHWC), NHWC
    shape = arranged(after, order)
    scales = s.maybe(node, 2, "its scales")
    wanted = [
        _origins(node, before[axis], after[axis], float(scales[axis]) if scales is not None and scales.size else None)
        for axis in (2, 3)
    ]
    theirs = _linear if mode == "linear" else _nearest
    if mode == "nearest":
        wanted = [_rounded(node, each, before[axis]) for axis, each in zip((2, 3), wanted, strict=True)]
    for way in _WAYS:
        have = [theirs(before[axis], after[axis], way) for axis in (2, 3)]
        if all(np.allclose(a, b, rtol=0, atol=1e-4) for a, b in zip(wanted, have, strict=True)):
            kind = "RESIZE_BILINEAR" if mode == "linear" else "RESIZE_NEAREST_NEIGHBOR"
            size = s.ints(name + "/size", after[2:])
            made = s.emit(kind, [tensor, size], shape, tensor.dtype, name=name, quant=tensor.quant, **way)
            s.bind(name, made, order, levels=found.levels)
            return
    if mode == "linear":
        how = node.get("coordinate_transformation_mode", "half_pixel")
        raise node.refuse(f"finds its places by {how} with these sizes, and TFLite by none of its ways")
    for axis, rows in ((1, wanted[0]), (2, wanted[1])):  # each row of places by its number
        dims = [*tensor.shape[:axis], len(rows), *tensor.shape[axis + 1 :]]
        where = s.ints(name + "/places", rows)
        tensor = s.emit("GATHER", [tensor, where], dims, tensor.dtype, name=name, quant=tensor.quant, axis=axis)
    s.bind(name, tensor, order, levels=found.levels)


def _origins(node: Node, before: int, after: int, scale: float | None) -> Array:
    """Where each place of the output lies in the input."""
    place, factor = np.arange(after, dtype=np.float64), scale or after / before
    match node.get("coordinate_transformation_mode", "half_pixel"):
        case "half_pixel":
            return (place + 0.5) / factor - 0.5
        case "pytorch_half_pixel":
            return (place + 0.5) / factor - 0.5 if after > 1 else np.zeros(1)
        case "align_corners":
            return place * (before - 1) / (after - 1) if after > 1 else np.zeros(1)
        case "asymmetric":
            return place / factor
        case other:
            raise node.refuse(f"its coordinates are {other}, which TFLite has not")


def _rounded(node: Node, origins: Array, before: int) -> Array:
    match node.get("nearest_mode", "round_prefer_floor"):
        case "floor":
            found = np.floor(origins)
        case "ceil":
            found = np.ceil(origins)
        case "round_prefer_ceil":
            found = np.floor(origins + 0.5)
        case _:
            found = np.ceil(origins - 0.5)
    return np.clip(found, 0, before - 1).astype(np.int64)


def _linear(before: int, after: int, way: dict[str, bool]) -> Array:
    place = np.arange(after, dtype=np.float64)
    if way.get("alignCorners") and after > 1:
        return place * (before - 1) / (after - 1)
    scale = before / after
    return (place + 0.5) * scale - 0.5 if way.get("halfPixelCenters") else place * scale


def _nearest(before: int, after: int, way: dict[str, bool]) -> Array:
    place = np.arange(after, dtype=np.float32)
    if way.get("alignCorners") and after > 1:
        found: Array = np.floor(place * np.float32((before - 1) / (after - 1)) + np.float32(0.5))
    else:
        offset = np.float32(0.5 if way.get("halfPixelCenters") else 0.0)
        found = np.floor((place + offset) * np.float32(before / after))
    return found.clip(max=before - 1)
