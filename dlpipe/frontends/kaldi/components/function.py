"""What each nnet3 component computes for a frame: as ONNX nodes for a matrix of frames, and as numpy for the reference.

The formulas are those of Kaldi's public headers nnet-simple-component.h, nnet-combined-component.h,
nnet-convolutional-component.h and nnet-normalize-component.h. At test time dropout is the identity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ...kit.emit import Graph
from ..reading import Component


@dataclass(frozen=True)
class Function:
    """`emit(graph, x, name)`: x is [frames, in_dim], the result [frames, out_dim]. `apply(x)`: one frame, float64.

    `times`: the frames, relative to its own, whose inputs are appended before it is applied.
    """

    out_dim: int
    emit: Callable[[Graph, str, str], str]
    apply: Callable[[Any], Any]
    times: tuple[int, ...] = (0,)


Maker = Callable[[Component, int], Function]


def times(component: Component) -> tuple[int, ...]:
    if component.kind == "TdnnComponent":
        return tuple(component.integers("TimeOffsets"))
    if component.kind == "TimeHeightConvolutionComponent":
        return tuple(sorted({time for time, _ in component.pairs("Offsets")}))
    return (0,)


def expect(component: Component, in_dim: int, wanted: int) -> None:
    if in_dim != wanted:
        raise Refused(
            f"{component.name} takes {wanted} values a frame and gets {in_dim}", node=component.name, op=component.kind
        )


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))
