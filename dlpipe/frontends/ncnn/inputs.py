"""What goes in: `Input` often says no size, as ncnn takes any."""

from __future__ import annotations

from typing import Any

from .param import MAX_INT, Layer

SIDE = 320  # what a free height or width is sampled with
_SAME = {"Split", "ReLU", "Noop", "Dropout", "Padding", "BinaryOp", "Clip", "Sigmoid", "Pooling", "Crop"}


def input_shape(layer: Layer, layers: list[Layer], params: Any) -> tuple[list[Any], dict[str, int]]:
    """Without the batch, and a usual size of each free dim. Raises Refused."""
    if len(layer.tops) != 1 or layer.bottoms:
        layer.fail("an input makes one blob")
    blob = layer.tops[0]
    dims: dict[str, int] = params.get("dims") or {}
    width, height, channels, depth = (layer.integer(number) for number in (0, 1, 2, 11))
    given = (params.get("inputs") or {}).get(blob, {})
    if given.get("dtype") not in (None, "float32"):
        layer.fail(f"an input of {given['dtype']} is not converted: ncnn computes in float32", "unsupported")
    if given.get("shape") is not None:
        shape = list(given["shape"][1:])
    elif width:
        shape = [each for each in (channels, depth, height, width) if each]
    else:
        many = sum(each.type == "Input" for each in layers) > 1
        prefix = f"{blob}_" if many else ""
        names = [f"{prefix}height", f"{prefix}width"]
        found = _channels(blob, layers)
        if found is None:
            layer.fail("it does not say its size, and no convolution tells its channels", "unsupported", _hint(blob))
        shape = [found, *(dims.get(name, name) for name in names)]
        return shape, {name: SIDE for name in names if name not in dims}
    if not 1 <= len(shape) <= 4 or any(not isinstance(dim, int) or not 0 < dim <= MAX_INT for dim in shape):
        layer.fail(f"its shape is {shape}", hint=_hint(blob))
    return shape, {}


def _hint(blob: str) -> str:
    return f"give it: --input {blob}:1x3x224x224"


def _channels(blob: str, layers: list[Layer]) -> int | None:
    """Of the first convolution that reads the blob, or what some layers make of it: they keep its channels, or put
    several pictures together."""
    times = {blob: 1}
    for each in layers:
        given = [times[name] for name in each.bottoms if name in times]
        if not given:
            continue
        if each.type == "Convolution":
            across = each.integer(1)
            area = each.integer(0) * across * each.integer(11, across) * given[0]
            return each.integer(6) // area if area > 0 and each.integer(6) % area == 0 else None
        if each.type in ("ConvolutionDepthWise", "BatchNorm", "Scale"):
            count = each.integer(7 if each.type == "ConvolutionDepthWise" else 0)
            return count // given[0] if count > 0 and count % given[0] == 0 else None
        if each.type == "Concat" and each.integer(0) == 0:
            times[each.tops[0]] = sum(given)
        elif each.type in _SAME:
            times.update(dict.fromkeys(each.tops, given[0]))
    return None
