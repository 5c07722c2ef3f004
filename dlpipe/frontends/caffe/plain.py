"""A net as the deploy prototxt of the newest generation that any reader of the format takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .net import Layer
from .prototxt import Message, Scalar, dump, quoted


def plain_text(inputs: Mapping[str, Sequence[int]], layers: Sequence[Layer]) -> str:
    """inputs: blob -> shape."""
    net = Message()
    for name, shape in inputs.items():
        net.setdefault("input", []).append(quoted(name))
        net.setdefault("input_shape", []).append(Message(dim=[Scalar(dim) for dim in shape]))
    for each in layers:
        layer = Message(name=[quoted(each.name)], type=[quoted(each.type)])
        layer["bottom"] = [quoted(blob) for blob in each.bottoms]
        layer["top"] = [quoted(blob) for blob in each.tops]
        layer.update({key: values for key, values in each.message.items() if key.endswith("_param")})
        net.setdefault("layer", []).append(layer)
    return dump(net)
