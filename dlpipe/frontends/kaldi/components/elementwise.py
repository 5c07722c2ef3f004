"""Components that treat every value alike or by parameters of its own: scales, batch norm, nonlinearities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ...kit.emit import Graph
from ..reading import Component
from .function import Function, Maker, expect

SOFTMAX_FLOOR = 1e-20


def _elementwise(scale: Any, offset: Any) -> Function:
    """y = scale * x + offset; either may be None."""

    def emit(graph: Graph, x: str, name: str) -> str:
        for op, values, last in (("Mul", scale, offset is None), ("Add", offset, True)):
            if values is not None:
                x = graph.node(
                    op, [x, graph.constant(values, f"{name}/{op}")], name if last else None, name=f"{name}/{op}"
                )
        return x

    wide = 1.0 if scale is None else scale.astype(np.float64)
    added = 0.0 if offset is None else offset.astype(np.float64)
    return Function(len(scale if scale is not None else offset), emit, lambda x: wide * x + added)


def scales(token: str) -> Maker:
    def make(component: Component, in_dim: int) -> Function:
        scales = component.vector(token)
        expect(component, in_dim, len(scales))
        return _elementwise(scales, None)

    return make


def offsets(token: str) -> Maker:
    def make(component: Component, in_dim: int) -> Function:
        return _elementwise(None, _tiled(component, component.vector(token), in_dim))

    return make


def _tiled(component: Component, values: Any, in_dim: int) -> Any:
    """Parameters of one block, repeated for the frame's other blocks."""
    if not len(values) or in_dim % len(values):
        expect(component, in_dim, len(values))
    return np.tile(values, in_dim // len(values))


def scale_and_offset(component: Component, in_dim: int) -> Function:
    return _elementwise(*(_tiled(component, component.vector(token), in_dim) for token in ("Scales", "Offsets")))


def batch_norm(component: Component, in_dim: int) -> Function:
    if component.real("Count") <= 0:
        raise Refused(f"{component.name} holds no statistics: the network was not trained", node=component.name)
    mean, variance = (component.vector(token).astype(np.float64) for token in ("StatsMean", "StatsVar"))
    scale = component.real("TargetRms") / np.sqrt(np.maximum(variance, 0) + component.real("Epsilon"))
    values = [_tiled(component, each.astype(np.float32), in_dim) for each in (scale, -mean * scale)]
    return _elementwise(*values)


def identity(_component: Component, in_dim: int) -> Function:
    return Function(in_dim, lambda graph, x, name: graph.node("Identity", [x], name, name=name), lambda x: x)


def truncation(component: Component, in_dim: int) -> Function:
    scale = component.real("Scale") if component.has("Scale") else 1.0
    return identity(component, in_dim) if scale == 1 else _elementwise(np.full(in_dim, scale, np.float32), None)


def unary(op: str, apply: Callable[[Any], Any], floor: float | None = None, **attributes: Any) -> Maker:
    def make(component: Component, in_dim: int) -> Function:
        if component.has("Dim"):
            expect(component, in_dim, component.integer("Dim"))

        def emit(graph: Graph, x: str, name: str) -> str:
            if floor is None:
                return graph.node(op, [x], name, name=name, **attributes)
            made = graph.node(op, [x], name=f"{name}/{op}", **attributes)
            return graph.node(
                "Max", [made, graph.constant(np.float32(floor), f"{name}/floor")], name, name=f"{name}/floor"
            )

        return Function(in_dim, emit, apply if floor is None else lambda x: np.maximum(apply(x), floor))

    return make


def softmax(x: Any) -> Any:
    exponents = np.exp(x - x.max())
    return exponents / exponents.sum()


def log_softmax(x: Any) -> Any:
    return x - x.max() - np.log(np.exp(x - x.max()).sum())
