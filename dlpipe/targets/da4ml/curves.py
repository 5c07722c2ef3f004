"""Functions of one element that become a table, or are left to the host at an output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .graph import Graph, Node, computed
from .hardware import Array, Pending


def _curve(function: Callable[[Array], Array]) -> Callable[[Graph, Node], Pending]:
    def make(graph: Graph, node: Node) -> Pending:
        del graph
        return Pending(computed(node, node[0]), node.op, function=function)

    return make


def softmax(graph: Graph, node: Node) -> Pending:
    """By the host: in hardware the largest of its inputs says as much."""
    del graph
    return Pending(computed(node, node[0]), node.op, axis=node.attribute("axis", -1))


def leaky_relu(graph: Graph, node: Node) -> Pending:
    del graph
    slope = node.attribute("alpha", 0.01)
    return Pending(computed(node, node[0]), node.op, function=lambda x: np.where(x < 0, slope * x, x))


OPERATORS: dict[str, Callable[[Graph, Node], Any]] = {
    "LeakyRelu": leaky_relu,
    "LogSoftmax": softmax,
    "Sigmoid": _curve(lambda x: 1 / (1 + np.exp(-x))),
    "Softmax": softmax,
    "Tanh": _curve(np.tanh),
}
