"""Outliers moved from activations into weights."""

from typing import Any

import numpy as np
import onnx_ir as ir
from dlpipe_worker import Refused

from ..graph.infra import GraphPass, Rewritten, Work
from ..graph.unused import remove_unused
from .scaling.links import Link, links
from .static.observing import observe

_MOST = 1e4  # by how much a channel is scaled at most


class SmoothQuant(GraphPass):
    """Channels whose activations are large are made smaller, and their weights larger.

        x -> LayerNormalization(g, b) -> MatMul(W) -> y
        becomes
        x -> LayerNormalization(g / s, b / s) -> MatMul(W * s) -> y     s = max |x|^a / max |W|^(1 - a), by channel

    One scale for all channels of a tensor then loses less. Scales move out of normalisations, products and
    convolutions, through Relu, LeakyRelu and pooling, into the Conv, Gemm and MatMul behind. A depthwise convolution,
    which has a scale for each channel, takes all of it (a = 1). params["strength"] is a. Requires samples, which are
    run once. Ensures finite weights. Exact up to rounding. Source: Xiao et al. 2023; for convolutions, Nagel et al.
    2019 with activations in place of weights.
    """

    def __init__(self) -> None:
        self._moved: list[Link] = []

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        strength = work.params["strength"]
        if not 0 <= strength <= 1:
            raise Refused(f"strength={strength!r} is not between 0 and 1", kind="unsupported")
        samples = work.inputs["samples"] / "samples.npz"
        self._moved = smooth(model, samples, strength, work.progress)
        return Rewritten(model, [f"{link.value.name}: scales of {link.channels} channels" for link in self._moved])

    def ensures(self, model: ir.Model) -> None:
        del model
        assert all(np.isfinite(side.array).all() for link in self._moved for side in (*link.makers, *link.readers))


def smooth(model: ir.Model, samples: Any, strength: float, progress: Any) -> list[Link]:
    """In place. Returns where a scale was moved."""
    found = list(links(model.graph))
    seen = {link.value: _Largest(link.axis) for link in found}
    observe(model, {value: each.add for value, each in seen.items()}, samples, progress)
    moved = []
    for link in found:
        scale = _scale(link, seen[link.value].value, 1.0 if link.depthwise else strength)
        if np.abs(scale - 1).max(initial=0) > 0:
            link.move(scale)
            moved.append(link)
    if moved:
        remove_unused(model)
    return moved


class _Largest:
    """The largest size of each channel."""

    def __init__(self, axis: int) -> None:
        self._axis = axis
        self.value: Any = 0.0

    def add(self, array: Any) -> None:
        others = tuple(axis for axis in range(array.ndim) if axis != self._axis)
        self.value = np.maximum(self.value, np.abs(array).max(axis=others))


def _scale(link: Link, activations: Any, strength: float) -> Any:
    """Its geometric mean over the channels is 1: a factor for all of them changes nothing but how far it is from 1."""
    weights = np.max([side.largest() for side in link.readers], axis=0)
    alive = (activations > 0) & (weights > 0) & np.isfinite(activations)
    if not alive.any():
        return np.ones(len(weights))
    logarithm = strength * np.log(activations[alive]) - (1 - strength) * np.log(weights[alive])
    scale = np.ones(len(weights))
    scale[alive] = np.clip(np.exp(logarithm - logarithm.mean()), 1 / _MOST, _MOST)
    return scale
