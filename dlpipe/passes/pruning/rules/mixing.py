"""Operators that keep some dims apart and mix others: what they mix is not claimed, and stays."""

from collections.abc import Iterable

from ..following import Rule, Step
from ..units import Labels

_SOFTMAX_ALONG_ONE_AXIS = 13
_BATCH_NORM_WITHOUT_SPATIAL = 9


def _apart(step: Step, axes: Iterable[int]) -> dict[int, Labels]:
    return {axis: step.claim(0, axis) for axis in axes}


def channelwise(step: Step) -> None:
    """Pooling: each channel by itself, the space within it mixed."""
    dims = step.dims(0)
    if dims is None or len(step.node.outputs) > 1:  # MaxPool's indices count through the channels
        return
    step.put([*_apart(step, (0, 1)).values(), *[None] * (len(dims) - 2)])


def batch_norm(step: Step) -> None:
    """One scale, offset, mean and variance per channel."""
    dims, attributes = step.dims(0), step.node.attributes
    if dims is None or attributes.get_int("training_mode", 0) or len(step.node.outputs) > 1:
        return
    if step.traced.opset < _BATCH_NORM_WITHOUT_SPATIAL and not attributes.get_int("spatial", 1):
        return
    if _tied(step, range(1, 5)):
        step.put(list(_apart(step, range(len(dims))).values()))


def instance_norm(step: Step) -> None:
    """Statistics of each channel by itself, one scale and offset for each."""
    dims = step.dims(0)
    if dims is not None and _tied(step, range(1, 3)):
        step.put([*_apart(step, (0, 1)).values(), *[None] * (len(dims) - 2)])


def _tied(step: Step, vectors: Iterable[int]) -> bool:
    """Those inputs hold one number for each channel."""
    if any(step.dims(index) is None for index in vectors):
        return False
    for index in vectors:
        step.tie(step.claim(index, 0), step.claim(0, 1))
    return True


def softmax(step: Step) -> None:
    """Mixes one axis; before opset 13 that one and all behind it."""
    dims = step.dims(0)
    if dims is None:
        return
    one = step.traced.opset >= _SOFTMAX_ALONG_ONE_AXIS
    axis = step.node.attributes.get_int("axis", -1 if one else 1) % len(dims)
    mixed = {axis} if one else set(range(axis, len(dims)))
    apart = _apart(step, [each for each in range(len(dims)) if each not in mixed])
    step.put([apart.get(each) for each in range(len(dims))])


def layer_norm(step: Step) -> None:
    """Mixes its axis and all behind it: with fewer channels mean and variance would be others."""
    dims = step.dims(0)
    if dims is None or len(step.node.outputs) > 1:
        return
    axis = step.node.attributes.get_int("axis", -1) % len(dims)
    step.put([*_apart(step, range(axis)).values(), *[None] * (len(dims) - axis)])


def reduce(step: Step) -> None:
    dims = step.dims(0)
    axes = step.stored(1) if step.has(1) else step.node.attributes.get("axes")
    if dims is None or axes is None:
        return
    named = axes.tolist() if step.has(1) else axes.as_ints()
    if not named:
        return  # all of them, or none: the operator's set decides
    _reduced(step, dims, {int(axis) % len(dims) for axis in named})


def arg(step: Step) -> None:
    dims = step.dims(0)
    if dims is not None:
        _reduced(step, dims, {step.node.attributes.get_int("axis", 0) % len(dims)})


def _reduced(step: Step, dims: list[Labels], axes: set[int]) -> None:
    apart = _apart(step, [axis for axis in range(len(dims)) if axis not in axes])
    keep = step.node.attributes.get_int("keepdims", 1)
    step.put([apart.get(axis) for axis in range(len(dims)) if keep or axis in apart])


RULES: dict[str, Rule] = {
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "MaxPool"), channelwise),
    "BatchNormalization": batch_norm,
    "InstanceNormalization": instance_norm,
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), softmax),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), layer_norm),
    **{
        f"Reduce{name}": reduce
        for name in ("Max", "Mean", "Min", "Prod", "Sum", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
    },
    **dict.fromkeys(("ArgMax", "ArgMin"), arg),
}
