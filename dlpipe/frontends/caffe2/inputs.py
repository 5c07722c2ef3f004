"""Which blobs of a net are its inputs, and what their shapes are: Caffe2's files do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit.ports import BATCH
from ..kit.shaped import Dim
from .fills import DATA_TYPES
from .nets import Net, Operator
from .platform import CUT_BEFORE

# Operators that give the channels on as they are: the shape of what follows is that of the input.
_KEEPS_CHANNELS = {
    "AveragePool", "MaxPool", "LpPool", "PadImage", "Relu", "LRN", "Dropout", "ResizeNearest", "UpsampleBilinear",
    "Int8Quantize", "Int8Dequantize", "Int8MaxPool", "Int8AveragePool", "Int8Relu", "Copy", "Scale", "Clip", "Sigmoid",
    "Tanh", "LeakyRelu", "Softmax", "Alias", "CopyCPUToGPU", "CopyFromCPUInput", "Negative", "HalfToFloat",
}  # fmt: skip
_EXCHANGES = {"NCHW2NHWC", "NHWC2NCHW"}
_CONVOLUTIONS = {"Conv", "Conv1D", "Conv2D", "Conv3D", "Int8Conv", "Int8ConvRelu"}
_WEIGHTED = {*_CONVOLUTIONS, "ConvTranspose", "FC", "Int8FC", "SpatialBN", "PRelu", "InstanceNorm", "AffineChannel"}
_SPATIAL = ("D", "H", "W")


@dataclass(frozen=True)
class Input:
    """`shape`: dims, ints or names. `layout`: where the operators tell it."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    layout: str | None = None
    guessed: bool = False  # whether dims are free only because the files do not tell them

    def with_dims(self, dims: Mapping[str, int]) -> Input:
        return replace(self, shape=tuple(dims.get(dim, dim) if isinstance(dim, str) else dim for dim in self.shape))


def find_inputs(net: Net, cut: set[int]) -> list[str]:
    """Values that are fed: those that nothing computes; in a net that fills in all, the one that is no weight."""
    made = {name for op in net.operators if op.index not in cut for name in op.outputs}
    used = dict.fromkeys(name for op in net.operators if op.index not in cut for name in op.inputs)
    missing = [name for name in used if name not in made]
    _check_weights(net, set(missing))
    declared = [name for name in net.external_inputs if name in missing]
    found = declared + [name for name in missing if name not in declared]
    return found or _filled_input(net)


def _check_weights(net: Net, missing: set[str]) -> None:
    for op in net.operators:
        lost = [name for name in op.inputs[1:] if name in missing]
        if lost and op.type in _WEIGHTED:
            raise Refused(
                f"the weights {lost[0]!r} are in no file: is the initialisation net (init_net.pb) missing?",
                hint="put it beside the prediction net",
                **op.where,
            )


def _filled_input(net: Net) -> list[str]:
    """A placeholder: a fill whose value is only ever the first input of operators, and the first one listed."""
    fills = {name for op in net.operators if not op.inputs for name in op.outputs}
    behind = {name for op in net.operators for name in op.inputs[1:]}
    first = dict.fromkeys(op.inputs[0] for op in net.operators if op.inputs)
    found = [name for name in (*net.external_inputs, *first) if name in fills and name in first and name not in behind]
    if not found:
        raise Refused("it has no input: every value is filled in or computed", "unsupported")
    return found[:1]


def describe_input(net: Net, name: str, given: Mapping[str, Any], weights: Mapping[str, Any], cut: set[int]) -> Input:
    """given: what the user said of it (shape, dtype). weights: value -> shape of those that are filled in."""
    dtype = str(np.dtype(given.get("dtype") or _dtype(net, name)).name)
    if given.get("shape"):
        return Input(name, dtype, tuple(given["shape"]), _layout(net, name, cut))
    info = net.value_info.get(name)
    if isinstance(info, list) and len(info) == 2 and isinstance(info[1], list) and info[1]:
        if info[0] in DATA_TYPES and not given.get("dtype"):
            dtype = np.dtype(DATA_TYPES[info[0]]).name
        return Input(name, dtype, (BATCH, *(int(dim) for dim in info[1][1:])), _layout(net, name, cut))
    shape, layout = _follow(net, name, weights, cut)
    filled = weights.get(name, ())  # a placeholder, which may have nothing to do with what it stands for
    if len(filled) > 1 and (shape is None or _fits(filled, shape)):
        return Input(name, dtype, (BATCH, *filled[1:]), layout or _layout(net, name, cut))
    if shape is None:
        raise Refused(
            f"the shape of the input {name!r} is not in the file",
            hint=f"say it: --input {name}:1x3x224x224 (or whatever it is)",
        )
    return Input(name, dtype, shape, layout, guessed=True)


def _fits(filled: Sequence[int], shape: Sequence[int | str]) -> bool:
    """Whether the dims that the weights tell are those of the placeholder."""
    pairs = zip(filled[1:], shape[1:], strict=False)
    return len(filled) == len(shape) and all(isinstance(dim, str) or dim == given for given, dim in pairs)


def _dtype(net: Net, name: str) -> Any:
    for op in net.operators:
        if name in op.inputs:
            place = op.inputs.index(name)
            if op.type in ("Gather", "BatchGather") and place == 1:
                return np.int64
            if op.type == "OneHot" and place == 0:
                return np.int64
    return np.float32


def _layout(net: Net, name: str, cut: set[int]) -> str | None:
    for op in net.operators:
        if name in op.inputs and (op.type in _CONVOLUTIONS or op.type in _KEEPS_CHANNELS) and op.index not in cut:
            order = op.args.text("order", "NCHW")
            return order if order in ("NCHW", "NHWC") else None
    return None


def _follow(net: Net, name: str, weights: Mapping[str, Any], cut: set[int]) -> tuple[Any, str | None]:
    """(shape with a free batch and free spatial dims, layout), from the first operators with weights; or None."""
    for op in net.operators:
        if op.index in cut and name in op.outputs and op.type in CUT_BEFORE:
            return (BATCH, *CUT_BEFORE[op.type].shape), CUT_BEFORE[op.type].layout
    same = {name: False}  # values with the input's channels -> whether the layout was exchanged on the way
    for op in net.operators:
        if op.index in cut or not op.inputs or op.inputs[0] not in same:
            continue
        turned = same[op.inputs[0]]
        if op.type in _WEIGHTED:
            shape, layout = _from_weights(op, weights)
            return _turned(shape, layout) if turned and shape is not None else (shape, layout)
        if op.type in _KEEPS_CHANNELS or op.type in _EXCHANGES:
            same.update(dict.fromkeys(op.outputs[:1], turned != (op.type in _EXCHANGES)))
    return None, None


def _turned(shape: Any, layout: str | None) -> tuple[Any, str | None]:
    """The shape and layout before channels were moved to the end, or to the front."""
    if layout == "NHWC":
        return (shape[0], shape[-1], *shape[1:-1]), "NCHW"
    return (shape[0], *shape[2:], shape[1]), "NHWC" if layout == "NCHW" else None


def _from_weights(op: Operator, weights: Mapping[str, Any]) -> tuple[Any, str | None]:
    known = weights.get(op.inputs[1]) if len(op.inputs) > 1 else None
    if not known or (op.type in _CONVOLUTIONS and len(known) < 3):
        return None, None
    if op.type in ("FC", "Int8FC"):
        return ((BATCH, int(known[-1])) if len(known) == 2 and op.args.integer("axis", 1) == 1 else None), None
    last = op.args.text("order", "NCHW") == "NHWC"
    rank = len(known) if op.type in _CONVOLUTIONS or op.type == "ConvTranspose" else 4
    channels = known[-1 if last else 1] * op.args.integer("group", 1) if op.type in _CONVOLUTIONS else known[0]
    spatial: tuple[Dim, ...] = _SPATIAL[-(rank - 2) :] if rank > 3 else ("W",)
    shape = (BATCH, *spatial, channels) if last else (BATCH, channels, *spatial)
    layout = ("NHWC" if last else "NCHW") if rank == 4 else None
    return shape, layout
