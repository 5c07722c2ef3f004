"""Components that join values of a frame: normalisation, norms, sums and products of groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ...kit.emit import Graph
from ..reading import Component
from .function import Function, Maker, expect

NORM_FLOOR = 2.0**-66  # Kaldi's kSquaredNormFloor


def normalize(component: Component, in_dim: int) -> Function:
    """x / max(rms, floor) * target, block by block; with the logarithm of the standard deviation behind, if asked."""
    expect(component, in_dim, component.integer("InputDim" if component.has("InputDim") else "Dim"))
    block = component.integer("BlockDim") if component.has("BlockDim") else in_dim
    target = component.real("TargetRms") if component.has("TargetRms") else 1.0
    with_log = component.flag("AddLogStddev")
    if block <= 0 or in_dim % block:
        raise Refused(f"{component.name}: blocks of {block} do not fill {in_dim} values", node=component.name)

    def emit(graph: Graph, x: str, name: str) -> str:
        if block != in_dim:
            x = graph.node("Reshape", [x, graph.constant(np.array([-1, block], np.int64), f"{name}/blocks")])
        square = graph.node("Mul", [x, x], name=f"{name}/square")
        axis = graph.constant(np.array([1], np.int64), f"{name}/axis")
        mean = graph.node("ReduceMean", [square, axis], keepdims=1, name=f"{name}/mean")
        mean = graph.node("Max", [mean, graph.constant(np.float32(NORM_FLOOR * target**2), f"{name}/floor")])
        rms = graph.node("Sqrt", [mean])
        last = block == in_dim and not with_log
        scaled = graph.node("Div", [x, rms], name if last and target == 1 else None, name=f"{name}/scaled")
        if target != 1:
            factor = graph.constant(np.float32(target), f"{name}/target")
            scaled = graph.node("Mul", [scaled, factor], name if last else None, name=f"{name}/target")
        if with_log:
            scaled = graph.node("Concat", [scaled, graph.node("Log", [rms])], None if block != in_dim else name, axis=1)
        if block != in_dim:
            total = out_dim
            scaled = graph.node(
                "Reshape", [scaled, graph.constant(np.array([-1, total], np.int64), f"{name}/all")], name
            )
        return scaled

    def apply(x: Any) -> Any:
        blocks = x.reshape(-1, block)
        rms = np.sqrt(np.maximum((blocks**2).mean(1, keepdims=True), NORM_FLOOR * target**2))
        scaled = blocks / rms * target
        return (np.concatenate([scaled, np.log(rms)], 1) if with_log else scaled).ravel()

    out_dim = in_dim + (in_dim // block if with_log else 0)
    return Function(out_dim, emit, apply)


def _groups(component: Component, in_dim: int) -> tuple[int, int]:
    expect(component, in_dim, component.integer("InputDim"))
    out_dim = component.integer("OutputDim")
    if out_dim <= 0 or in_dim % out_dim:
        raise Refused(f"{component.name}: {in_dim} values cannot be {out_dim} groups", node=component.name)
    return out_dim, in_dim // out_dim


def pnorm(component: Component, in_dim: int) -> Function:
    """The Euclidean norm of each group of neighbours."""
    out_dim, size = _groups(component, in_dim)

    def emit(graph: Graph, x: str, name: str) -> str:
        shape = graph.constant(np.array([-1, out_dim, size], np.int64), f"{name}/groups")
        grouped = graph.node("Reshape", [x, shape], name=f"{name}/groups")
        axis = graph.constant(np.array([2], np.int64), f"{name}/axis")
        return graph.node("ReduceL2", [grouped, axis], name, name=name, keepdims=0)

    return Function(out_dim, emit, lambda x: np.sqrt((x.reshape(out_dim, size) ** 2).sum(1)))


def over_parts(op: str, onnx_op: str, apply: Callable[[Any], Any]) -> Maker:
    """Sum or product of the parts of the frame, each out_dim long."""

    def make(component: Component, in_dim: int) -> Function:
        out_dim, count = _groups(component, in_dim)
        scale = component.real("Scale") if op == "sum" and component.has("Scale") else 1.0

        def emit(graph: Graph, x: str, name: str) -> str:
            shape = graph.constant(np.array([-1, count, out_dim], np.int64), f"{name}/parts")
            parts = graph.node("Reshape", [x, shape], name=f"{name}/parts")
            axis = graph.constant(np.array([1], np.int64), f"{name}/axis")
            made = graph.node(onnx_op, [parts, axis], name if scale == 1 else None, name=f"{name}/{op}", keepdims=0)
            if scale == 1:
                return made
            return graph.node("Mul", [made, graph.constant(np.float32(scale), f"{name}/scale")], name, name=name)

        return Function(out_dim, emit, lambda x: apply(x.reshape(count, out_dim)) * scale)

    return make
