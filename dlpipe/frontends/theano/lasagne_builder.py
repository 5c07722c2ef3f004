"""What the handlers of Lasagne's layers have in common: the parameters in order, and the shape of every value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit.emit import Graph
from .description import INPUT, Layer, Network
from .nonlinearities import nonlinearity

Shape = list[Any]  # None for the batch
Value = tuple[str, Shape]


class Builder:
    """Takes the parameters one by one, and knows the shape of every value."""

    def __init__(self, network: Network, parameters: Sequence[Any], graph: Graph) -> None:
        self.graph = graph
        self.network = network
        self.left = list(parameters)
        self.values: dict[str, Value] = {INPUT: (INPUT, network.shape)}

    def take(self, layer: Layer, what: str, shape: Sequence[int]) -> Any:
        """The next parameter, as float32 or as it is. Raises Refused where it has another shape."""
        if not self.left:
            raise Refused(
                f"the layer {layer.name} needs a parameter {what}, and none is left", node=layer.name, op=layer.kind
            )
        found = self.left.pop(0)
        if list(found.shape) != list(shape):
            raise Refused(
                f"the layer {layer.name} needs {what} of the shape {tuple(shape)}; the next one has {found.shape}",
                node=layer.name,
                op=layer.kind,
            )
        return found.astype(self.network.float_dtype if found.dtype.kind == "f" else found.dtype)

    def add(self, layer: Layer, op: str, inputs: Sequence[str], shape: Shape, **attributes: Any) -> Value:
        return self.graph.node(op, inputs, name=f"{layer.name}/{op}", **attributes), shape

    def constant(self, layer: Layer, what: str, array: Any) -> str:
        return self.graph.constant(np.asarray(array), f"{layer.name}.{what}")

    def finish(self, layer: Layer, value: Value, options: dict[str, Any], default: str) -> Value:
        """With the layer's nonlinearity."""
        made: Value = nonlinearity(self, layer, value, options.pop("nonlinearity", default))
        return made


def pair(layer: Layer, value: Any, rank: int) -> list[int]:
    values = value if isinstance(value, list) else [value] * rank
    if len(values) != rank or not all(isinstance(each, int) and each >= 0 for each in values):
        raise layer.refuse(f"has the size {value!r}, where {rank} whole numbers are expected")
    return values


def positive(layer: Layer, shape: Shape) -> Shape:
    if any(dim is not None and dim < 1 for dim in shape):
        raise layer.refuse(f"leaves nothing of its input: the shape would be {shape}")
    return shape


def reshape(builder: Builder, layer: Layer, name: str, shape: Shape) -> Value:
    wanted = [0 if axis == 0 and dim is None else dim for axis, dim in enumerate(shape)]
    if None in wanted:
        raise layer.refuse("reshapes a free axis that is not the first")
    return builder.add(layer, "Reshape", [name, builder.constant(layer, "shape", np.array(wanted, np.int64))], shape)
