"""Operations of a Core ML program that only move elements, by torch."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

from .reading import Unread, ints, number

_MASK = ("begin_mask", "end_mask", "squeeze_mask")


def reshape(g: Mapping[str, Any]) -> Any:
    shape = ints(g["shape"])
    return g["x"].reshape([g["x"].shape[axis] if size == 0 else size for axis, size in enumerate(shape)])


def expand(g: Mapping[str, Any]) -> Any:
    axes, x = ints(g["axes"]), g["x"]
    for axis in sorted(each % (x.dim() + len(axes)) for each in axes):
        x = x.unsqueeze(axis)
    return x


def squeeze(g: Mapping[str, Any]) -> Any:
    return g["x"].squeeze(tuple(ints(g["axes"]))) if g.get("axes") is not None else g["x"].squeeze()


def split(g: Mapping[str, Any]) -> Any:
    axis = int(g["axis"])
    sizes = ints(g["split_sizes"]) if g.get("split_sizes") is not None else None
    return torch.split(g["x"], sizes or g["x"].shape[axis] // int(g["num_splits"]), dim=axis)


def concat(g: Mapping[str, Any]) -> Any:
    if g.get("interleave"):
        raise Unread("concat of interleave")
    return torch.cat([each for each in g["values"] if each.numel()], dim=int(g["axis"]))


def slice_(g: Mapping[str, Any]) -> Any:
    x = g["x"]
    begin, end = ints(g["begin"]), ints(g["end"])
    steps = ints(g["stride"]) if g.get("stride") is not None else [1] * x.dim()
    free, open_, single = ([bool(e) for e in ints(g[k])] if g.get(k) is not None else [False] * x.dim() for k in _MASK)
    index: list[Any] = []
    for axis in range(x.dim()):
        if single[axis]:
            index.append(begin[axis])
            continue
        bounds = slice(None if free[axis] else begin[axis], None if open_[axis] else end[axis], steps[axis])
        index.append(torch.arange(x.shape[axis])[range(x.shape[axis])[bounds]] if steps[axis] < 0 else bounds)
    for axis in range(x.dim() - 1, -1, -1):  # one by one: two lists of indices would be paired
        x = x[(slice(None),) * axis + (index[axis],)]
    return x


def sliced(g: Mapping[str, Any]) -> Any:
    x = g["x"]
    for axis, (begin, size) in enumerate(zip(ints(g["begin"]), ints(g["size"]), strict=True)):
        x = x.narrow(axis, begin, x.shape[axis] - begin if size == -1 else size)
    return x


def pad(g: Mapping[str, Any]) -> Any:
    pads, mode = ints(g["pad"]), g["mode"]
    pairs = [pads[index : index + 2] for index in range(0, len(pads), 2)]
    flat = [each for pair in reversed(pairs) for each in pair]
    if mode == "constant":
        return functional.pad(g["x"], flat, value=number(g["constant_val"]))
    raise Unread(f"pad of mode {mode}")


def gather(g: Mapping[str, Any]) -> Any:
    if int(g.get("batch_dims") or 0):
        raise Unread("gather of batch_dims")
    x, axis = g["x"], int(g["axis"])
    indices = torch.as_tensor(g["indices"]).long() % x.shape[axis]
    axis %= x.dim()
    picked = x.index_select(axis, indices.reshape(-1))
    return picked.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
