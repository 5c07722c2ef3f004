"""Convolutions: channels at axis 1. Of a grouped one the same positions are cut in every group, so that the groups stay
alike; of a depthwise one whole groups go."""

import math

import numpy as np
import onnx_ir as ir

from ..following import Kept, Step
from ..units import Labels


def conv(step: Step) -> None:
    """W[out, in / group, ...]."""
    dims, sizes, group = step.dims(0), step.stored_shape(1), step.node.attributes.get_int("group", 1)
    if dims is None or sizes is None:
        return
    channels = sizes[1] * group
    source, made = step.claim(0, 1), step.claim(1, 0)
    if group > 1 and group == channels:
        for turn in range(sizes[0] // group):  # each input channel makes as many of its own
            step.tie(made.reshape(group, -1)[:, turn], source)
        _keep_depthwise(step, source)
    else:
        for part in _parts(source, group):
            step.tie(step.claim(1, 1), part)
        _tie_parts(step, made, group)
    _put(step, dims, made)
    step.product(0, _places(step.node.outputs[0]))


def conv_transpose(step: Step) -> None:
    """W[in, out / group, ...]."""
    dims, sizes, group = step.dims(0), step.stored_shape(1), step.node.attributes.get_int("group", 1)
    if dims is None or sizes is None:
        return
    source, rows = step.claim(0, 1), step.claim(1, 0)
    step.tie(rows, source)
    if group > 1 and group == sizes[0]:
        _put(step, dims, rows.repeat(sizes[1]))
        _keep_depthwise(step, rows)
        step.product(0, _places(step.node.inputs[0]))
    else:
        _tie_parts(step, rows, group)
        _put(step, dims, np.tile(step.claim(1, 1), group))
        step.product(1, _places(step.node.inputs[0]))


def _parts(labels: Labels, group: int) -> list[Labels]:
    return [None] * group if labels is None else list(labels.reshape(group, -1))


def _tie_parts(step: Step, labels: Labels, group: int) -> None:
    parts = _parts(labels, group)
    for part in parts[1:]:
        step.tie(parts[0], part)


def _keep_depthwise(step: Step, labels: Labels) -> None:
    def regroup(kept: Kept) -> None:
        if labels is not None:
            step.node.attributes["group"] = ir.AttrInt64("group", int(kept(labels).sum()))

    step.fix(regroup)


def _put(step: Step, dims: list[Labels], made: Labels) -> None:
    if step.has(2):
        step.tie(step.claim(2, 0), made)
    step.claim(0, 0)
    step.put([dims[0], made, *[None] * (len(dims) - 2)])


def _places(value: ir.Value | None) -> int | None:
    """Sizes of batch and space, multiplied; a batch that is not fixed counts as one."""
    if value is None or value.shape is None:
        return None
    batch, _, *space = value.shape
    if not all(isinstance(size, int) for size in space):
        return None
    return math.prod(int(size) for size in (batch if isinstance(batch, int) else 1, *space))


RULES = {"Conv": conv, "ConvTranspose": conv_transpose}
