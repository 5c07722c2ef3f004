"""Biases that make up for what rounding shifts on average."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from ...graph.infra import constant
from .observing import observe

SAMPLES = 64  # that the means are taken over: they settle early

_LAST = 2**31 - 1


class Mean:
    """Of each channel, over samples and places. Channels lie along axis 1."""

    def __init__(self) -> None:
        self._sum: Any = 0.0
        self._count = 0

    def add(self, array: Any) -> None:
        rows = np.moveaxis(array, 1, 0).reshape(array.shape[1], -1)
        self._sum = self._sum + rows.sum(axis=1, dtype=np.float64)
        self._count += rows.shape[1]

    def value(self) -> Any:
        return self._sum / max(self._count, 1)


def correct(
    model: ir.Model, quantised: ir.Model, samples: Path, progress: Callable[[str, float | None], object]
) -> int:
    """In place, in `quantised`: the integer biases of convolutions and Gemms, so that the mean of each channel is that
    of `model`, in which the nodes have the same names. Returns how many nodes were corrected.

    From the first node to the last, each seen with those before it corrected: the mean of a node's error has in it what
    comes from above (Nagel et al. 2019, section 4.2, measured on samples).
    """
    nodes = {node.name: node for node in model.graph}
    biased = [node for node in quantised.graph if _bias(node) is not None and node.name in nodes]
    wanted = {str(node.name): Mean() for node in biased}
    outputs = {nodes[name].outputs[0]: mean.add for name, mean in wanted.items()}
    observe(model, outputs, samples, most=SAMPLES)
    for done, node in enumerate(biased):
        found = Mean()
        observe(quantised, {node.outputs[0]: found.add}, samples, most=SAMPLES)
        bias, scale = _bias(node) or (None, None)
        assert bias is not None
        levels = constant(bias) + np.rint((wanted[str(node.name)].value() - found.value()) / constant(scale))
        bias.const_value = ir.tensor(np.clip(levels, -_LAST, _LAST).astype(np.int32), name=bias.name)
        progress("correcting biases", (done + 1) / len(biased))
    return len(biased)


def _bias(node: ir.Node) -> tuple[ir.Value, ir.Value] | None:
    """(levels, scale) of a bias in int32."""
    if node.op_type not in ("Conv", "Gemm") or len(node.inputs) < 3 or node.inputs[2] is None:
        return None
    source = node.inputs[2].producer()
    if source is None or source.op_type != "DequantizeLinear" or source.inputs[0].dtype != ir.DataType.INT32:
        return None
    return source.inputs[0], source.inputs[1]
