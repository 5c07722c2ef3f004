"""Quantised weights and biases."""

import numpy as np

from .graph import Array
from .reading import Node
from .scope import Scope, Weights


def per_channel(weights: Weights, axis: int) -> bool:
    """Whether TFLite's integer kernels take them: symmetric, one scale or one for each output channel."""
    return (
        not weights.zero.any() and (weights.scale.size == 1 or weights.axis == axis) and weights.levels.dtype == np.int8
    )


def bias_levels(s: Scope, node: Node, index: int, scale: Array, channels: int) -> Array:
    """The bias in int32, in steps of `scale`: input's times weights'."""
    name = node.inputs[index] if index < len(node.inputs) else ""
    stored = s.weights.get(name)
    exact = stored is not None and stored.levels.dtype == np.int32 and not stored.zero.any()
    if stored is not None and exact and np.allclose(stored.scale, scale, rtol=1e-5, atol=0):
        return stored.levels.reshape(-1)
    real = s.constant(name) if name else np.zeros(channels)
    if real is None:
        raise node.refuse("its bias is computed")
    steps = np.rint(np.broadcast_to(real.reshape(-1), (channels,)).astype(np.float64) / scale)
    return np.clip(steps, -(2**31), 2**31 - 1).astype(np.int32)
