"""What the handler of a layer writes into the graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from .emit import Graph

_Graph = TypeVar("_Graph", bound=Graph)


class Writing(Generic[_Graph]):
    """`label`: the layer's name, after which everything is called that is made of it."""

    def __init__(self, graph: _Graph, label: str) -> None:
        self.graph = graph
        self.label = label

    def constant(self, array: Any, name: str) -> str:
        return self.graph.constant(np.asarray(array), f"{self.label}.{name}")

    def number(self, value: float, name: str = "value", dtype: Any = np.float32) -> str:
        return self.constant(np.asarray(value, dtype), name)

    def ints(self, values: Sequence[int], name: str = "dims") -> str:
        return self.constant(np.asarray(values, np.int64), name)

    def node(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """An intermediate value."""
        return self.graph.node(op, inputs, self.graph.fresh(f"{self.label}.{op}"), self.label, **attributes)
