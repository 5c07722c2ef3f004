"""Pooling over the whole utterance: the statistics components of x-vector networks.

StatisticsExtraction gives counts and sums, StatisticsPooling their mean and standard deviation. Only windows that
reach over everything are handled, and the two are computed as one: mean and deviation of what the extraction reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit.emit import Graph
from .nnet import Node
from .reading import Component

_WHOLE = 1000  # frames: a window this long from the first frame on stands for the utterance
_EXTRACTION, _POOLING = "StatisticsExtractionComponent", "StatisticsPoolingComponent"


def knows(component: Component) -> bool:
    return component.kind in (_EXTRACTION, _POOLING)


def pools(node: Node) -> bool:
    return node.component is not None and node.component.kind == _POOLING


def width(component: Component, in_dim: int) -> int:
    """The extraction passes its input on; pooling makes two of it. Raises Refused for what is not handled."""
    for period in ("InputPeriod", "OutputPeriod"):
        if component.has(period) and component.integer(period) != 1:
            _refuse(component, f"reads one frame in {component.integer(period)}")
    if component.kind == _EXTRACTION:
        return in_dim
    if component.integer("RightContext") < _WHOLE:
        _refuse(component, f"pools over the next {component.integer('RightContext')} frames only")
    if component.has("NumLogCountFeatures") and component.integer("NumLogCountFeatures"):
        _refuse(component, "adds the logarithm of the count")
    return 2 * in_dim if component.flag("OutputStddevs") else in_dim


def check_for_each_frame(component: Component) -> None:
    """Raises Refused unless the window is the whole utterance for every frame, not for the first alone."""
    if component.integer("LeftContext") < _WHOLE:
        _refuse(component, f"pools over the last {component.integer('LeftContext')} frames only")


def _refuse(component: Component, what: str) -> None:
    raise Refused(
        f"{component.name} {what}, which is not handled", "unsupported", node=component.name, op=component.kind
    )


def floor(component: Component) -> float:
    return component.real("VarianceFloor") if component.has("VarianceFloor") else 1e-10


def emit(graph: Graph, component: Component, x: str, name: str) -> str:
    """x: [frames, dim] -> [1, dim or 2 dim]."""
    axis = graph.constant(np.array([0], np.int64), f"{name}/axis")
    if not component.flag("OutputStddevs"):
        return graph.node("ReduceMean", [x, axis], name, name=name, keepdims=1)
    mean = graph.node("ReduceMean", [x, axis], name=f"{name}/mean", keepdims=1)
    centred = graph.node("Sub", [x, mean])
    variance = graph.node("ReduceMean", [graph.node("Mul", [centred, centred]), axis], keepdims=1)
    floored = graph.node("Max", [variance, graph.constant(np.float32(floor(component)), f"{name}/floor")])
    return graph.node("Concat", [mean, graph.node("Sqrt", [floored])], name, name=name, axis=1)


def apply(component: Component, frames: Any) -> Any:
    """frames: [count, dim], float64 -> [dim or 2 dim]. By sums, as Kaldi does."""
    mean = frames.sum(0) / len(frames)
    if not component.flag("OutputStddevs"):
        return mean
    variance = np.maximum((frames**2).sum(0) / len(frames) - mean**2, floor(component))
    return np.concatenate([mean, np.sqrt(variance)])
