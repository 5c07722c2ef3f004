"""Parts of tensors, and tensors put together."""

from typing import Any

import torch
from torch.nn import functional

from .table import Compute, Site, number, numbers, operator, together


@operator("Concat")
def concat(site: Site) -> Compute:
    axis = site.attr("axis", 1)
    return lambda *args: torch.cat(together(*args), axis)


@operator("Split")
def split(site: Site) -> Compute:
    axis, sizes, parts = site.attr("axis", 0), site.ints("split", 1), len(site.node.outputs)

    def compute(x: Any, *rest: Any) -> Any:
        given = sizes((x, *rest))
        if given is None:
            each = -(-x.shape[axis] // parts)
            given = [each] * (parts - 1) + [x.shape[axis] - each * (parts - 1)]
        return torch.split(x, given, axis)

    return compute


@operator("Slice")
def slice_(site: Site) -> Compute:
    starts, ends, axes, steps = (
        site.ints(name, index) for index, name in enumerate(("starts", "ends", "axes", "steps"), 1)
    )

    def compute(x: Any, *rest: Any) -> Any:
        args = (x, *rest)
        begin, end = starts(args) or [], ends(args) or []
        dims = axes(args) or list(range(len(begin)))
        for first, last, dim, step in zip(begin, end, dims, steps(args) or [1] * len(begin), strict=True):
            if step > 0:
                picked = [slice(None)] * x.dim()
                picked[dim] = slice(max(first, -x.shape[dim]) if first < 0 else first, last, step)
                x = x[tuple(picked)]
            else:
                places = range(x.shape[dim])[max(first, -x.shape[dim] - 1) : max(last, -x.shape[dim] - 1) : step]
                x = x.index_select(dim, torch.tensor(list(places), dtype=torch.int64, device=x.device))
        return x

    return compute


@operator("Gather")
def gather(site: Site) -> Compute:
    axis = site.attr("axis", 0)

    def compute(x: Any, places: Any) -> Any:
        x, places = together(x, places)
        dim = axis % x.dim()
        places = places.long()
        places = torch.where(places < 0, places + x.shape[dim], places)
        if dim == 0 and x.dim() == 2 and x.is_floating_point():
            return functional.embedding(places, x)
        picked = x.index_select(dim, places.reshape(-1))
        return picked.reshape((*x.shape[:dim], *places.shape, *x.shape[dim + 1 :]))

    return compute


@operator("GatherElements")
def gather_elements(site: Site) -> Compute:
    axis = site.attr("axis", 0)

    def compute(x: Any, places: Any) -> Any:
        x, places = together(x, places)
        places = places.long()
        return x.gather(axis, torch.where(places < 0, places + x.shape[axis], places))

    return compute


@operator("GatherND")
def gather_nd(site: Site) -> Compute:
    if site.attr("batch_dims", 0):
        site.refuse("batch_dims")

    def compute(x: Any, places: Any) -> Any:
        x, places = together(x, places)
        return x[tuple(places.long().unbind(-1))]

    return compute


@operator("Pad")
def pad(site: Site) -> Compute:
    mode, amounts, fixed, axes = site.attr("mode", "constant"), site.ints("pads", 1), site.attr("value", 0.0), 3
    if mode not in ("constant", "reflect", "edge"):
        site.refuse(f"mode {mode!r}")

    def compute(x: Any, *rest: Any) -> Any:
        args = (x, *rest)
        given = amounts(args) or []
        if len(args) > axes and args[axes] is not None:
            chosen = [int(each) % x.dim() for each in numbers(args[axes])]
        else:
            chosen = list(range(len(given) // 2))
        before, after = [0] * x.dim(), [0] * x.dim()
        for place, axis in enumerate(chosen):
            before[axis], after[axis] = given[place], given[len(chosen) + place]
        if mode == "constant":
            value = fixed if len(args) < 3 or args[2] is None else number(args[2])
            flat = [amount for pair in zip(reversed(before), reversed(after), strict=True) for amount in pair]
            return functional.pad(x, flat, value=value)
        for axis in range(x.dim()):
            if before[axis] or after[axis]:
                places = torch.arange(-before[axis], x.shape[axis] + after[axis], device=x.device)
                last = x.shape[axis] - 1
                places = places.clamp(0, last) if mode == "edge" else last - (last - places.abs()).abs()
                x = x.index_select(axis, places)
        return x

    return compute


@operator("DepthToSpace")
def depth_to_space(site: Site) -> Compute:
    block, mode = site.attr("blocksize"), site.attr("mode", "DCR")

    def compute(x: Any) -> Any:
        n, c, h, w = x.shape
        if mode == "CRD":
            return functional.pixel_shuffle(x, block)
        apart = x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
        return apart.reshape(n, c // block**2, h * block, w * block)

    return compute


@operator("SpaceToDepth")
def space_to_depth(site: Site) -> Compute:
    block = site.attr("blocksize")

    def compute(x: Any) -> Any:
        n, c, h, w = x.shape
        apart = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
        return apart.reshape(n, c * block**2, h // block, w // block)

    return compute


@operator("Trilu")
def trilu(site: Site) -> Compute:
    upper = site.attr("upper", 1)

    def compute(x: Any, offset: Any = None) -> Any:
        place = 0 if offset is None else int(number(offset))
        return x.triu(place) if upper else x.tril(place)

    return compute
