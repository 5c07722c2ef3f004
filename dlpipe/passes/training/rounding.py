"""Learn for each weight of one layer whether it is rounded down or up (Nagel et al. 2020)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

_STRETCH = (-0.1, 1.1)  # the sigmoid is stretched beyond 0 and 1, so that it reaches both
_WARM_UP = 0.2  # share of the steps in which nothing pushes towards a decision
_SHARPNESS = (20.0, 2.0)  # of that push, from the first such step to the last
_PLACES = 1 << 19  # output values in a step: of a large picture one sample has as much to say as of a small one many


@dataclass(frozen=True, slots=True)
class Layer:
    """`compute(x, w)`: its output for inputs [n, ...] with weights `w`. `inputs` and `wanted` are numpy arrays: what
    comes in where the model is quantised, and what comes out of the float model. Scale and zero point broadcast.
    `stored`: the integers as they are."""

    compute: Callable[[Any, Any], Any]
    weight: Any
    stored: Any
    scale: Any
    zero: Any
    bounds: tuple[int, int]
    inputs: Any
    wanted: Any


@dataclass(frozen=True, slots=True)
class Effort:
    steps: int
    batch: int  # samples in a step at most
    rate: float
    push: float  # how much a decision counts against the reconstruction


def learn(layer: Layer, effort: Effort, seed: int) -> tuple[Any, float, float]:
    """(the integers as an array, mean squared error with those that are stored, and as learned). The stored ones are
    returned where learning did not make them better."""
    weight, scale, zero = (torch.from_numpy(each) for each in (layer.weight, layer.scale, layer.zero))
    low, high = layer.bounds
    steps = weight / scale
    below = steps.floor()
    # h(v) is what the step loses by rounding down, so the layer begins as the float one is.
    share = ((steps - below - _STRETCH[0]) / (_STRETCH[1] - _STRETCH[0])).clamp(1e-4, 1 - 1e-4)
    undecided = torch.log(share / (1 - share)).requires_grad_()
    made = torch.optim.Adam([undecided], lr=effort.rate)
    random = torch.Generator().manual_seed(seed)
    batch = min(effort.batch, len(layer.inputs), max(1, _PLACES // max(layer.wanted[0].size, 1)))

    def stored(up: Any) -> Any:
        return (below + up + zero).clamp(low, high)

    for step in range(effort.steps):
        chosen = torch.randint(len(layer.inputs), (batch,), generator=random).numpy()
        x, wanted = torch.from_numpy(layer.inputs[chosen]), torch.from_numpy(layer.wanted[chosen])
        up = _decision(undecided)
        # Summed over the channels, as the paper has it, so that `push` weighs the same in wide and narrow layers.
        error = (layer.compute(x, (stored(up) - zero) * scale) - wanted).square().sum(1).mean()
        loss = error + effort.push * _hesitation(up, step / effort.steps)
        made.zero_grad()
        loss.backward()
        made.step()
    with torch.no_grad():
        before, learned = torch.from_numpy(layer.stored), stored((_decision(undecided) >= 0.5).to(below.dtype))
        errors = [_error(layer, (each - zero) * scale) for each in (before, learned)]
    return (learned if errors[1] < errors[0] else before).numpy(), errors[0], min(errors)


def _decision(undecided: Any) -> Any:
    return (torch.sigmoid(undecided) * (_STRETCH[1] - _STRETCH[0]) + _STRETCH[0]).clamp(0, 1)


def _hesitation(up: Any, share: float) -> Any:
    """How far from 0 and 1 the decisions are; in the beginning only that of the nearly decided counts."""
    if share < _WARM_UP:
        return up.new_zeros(())
    rest = (share - _WARM_UP) / (1 - _WARM_UP)
    first, last = _SHARPNESS
    sharpness = last + 0.5 * (first - last) * (1 + math.cos(math.pi * rest))
    return (1 - (2 * up - 1).abs().pow(sharpness)).sum()


def _error(layer: Layer, weight: Any) -> float:
    total, size = 0.0, 64
    for place in range(0, len(layer.inputs), size):
        x, wanted = (torch.from_numpy(each[place : place + size]) for each in (layer.inputs, layer.wanted))
        total += float((layer.compute(x, weight) - wanted).square().sum())
    return total / int(layer.wanted.size)
