"""Runs a net layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from .. import schema
from ..net import Layer
from . import dense, detecting, moving, pointwise, pooling, recurrent, statistics

_TABLES = (pointwise, dense, pooling, statistics, moving, detecting, recurrent)
FORWARD: dict[str, Any] = {name: function for table in _TABLES for name, function in table.FORWARD.items()}


class Context:
    """What the layer at hand is: its parameters, weights and number of tops."""

    def __init__(self, layer: Layer, blobs: Sequence[Any]) -> None:
        self.layer = layer
        self.blobs = [np.asarray(each, np.float64) for each in blobs]
        self.tops = len(layer.tops)

    def params(self, table: str) -> schema.Params:
        return schema.read(self.layer.message.message(table), table, self.layer.name, self.layer.type)

    def inner(self, message: Any, table: str) -> schema.Params:
        return schema.read(message, table, self.layer.name, self.layer.type)


def run(layers: Sequence[Layer], weights: Mapping[str, Sequence[Any]], feeds: Mapping[str, Any]) -> dict[str, Any]:
    """feeds: blob -> array. Returns (layer, top) as "layer" or "layer:1" -> float32, in order; and blobs as "/blob"."""
    blobs = {name: np.asarray(value, np.float64) for name, value in feeds.items()}
    found: dict[str, Any] = {}
    for each in layers:
        if each.type not in FORWARD:
            raise Refused(
                f"dlpipe's interpreter has no layer {each.type}", kind="unsupported", node=each.name, op=each.type
            )
        with np.errstate(all="ignore"):
            made = FORWARD[each.type](Context(each, weights.get(each.name, [])), *(blobs[b] for b in each.bottoms))
        made = made if isinstance(made, list) else [made]
        for index, (top, value) in enumerate(zip(each.tops, made, strict=True)):
            blobs[top] = value
            found[each.name if not index else f"{each.name}:{index}"] = value.astype(np.float32)
    found.update({f"/{name}": value.astype(np.float32) for name, value in blobs.items()})
    return found
