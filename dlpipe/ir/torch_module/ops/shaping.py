"""Shapes: asked for, changed, and tensors made from them."""

from typing import Any

import torch

from .table import Compute, Site, dtype, number, numbers, operator, together


@operator("Shape")
def shape(site: Site) -> Compute:
    start, end = site.attr("start", 0), site.attr("end")
    return lambda x: torch.tensor(tuple(x.shape)[start:end], dtype=torch.int64)


@operator("Size")
def size(_site: Site) -> Compute:
    return lambda x: torch.tensor(x.numel(), dtype=torch.int64)


@operator("Reshape")
def reshape(site: Site) -> Compute:
    wanted, zero_is_zero = site.ints("shape", 1), site.attr("allowzero", 0)

    def compute(x: Any, *rest: Any) -> Any:
        sizes = wanted((x, *rest))
        assert sizes is not None
        if not zero_is_zero:
            sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
        return x.reshape(sizes)

    return compute


@operator("Flatten")
def flatten(site: Site) -> Compute:
    axis = site.attr("axis", 1)

    def compute(x: Any) -> Any:
        first = axis if axis >= 0 else axis + x.dim()
        rows = 1
        for each in x.shape[:first]:
            rows *= each
        return x.reshape(rows, -1)

    return compute


@operator("Transpose")
def transpose(site: Site) -> Compute:
    order = site.attr("perm")
    return lambda x: x.permute(order or list(range(x.dim()))[::-1])


@operator("Squeeze")
def squeeze(site: Site) -> Compute:
    axes = site.ints("axes", 1)

    def compute(x: Any, *rest: Any) -> Any:
        dims = axes((x, *rest))
        return x.squeeze() if dims is None else x.squeeze(tuple(dims))

    return compute


@operator("Unsqueeze")
def unsqueeze(site: Site) -> Compute:
    axes = site.ints("axes", 1)

    def compute(x: Any, *rest: Any) -> Any:
        dims = axes((x, *rest)) or []
        rank = x.dim() + len(dims)
        for axis in sorted(each % rank for each in dims):
            x = x.unsqueeze(axis)
        return x

    return compute


@operator("Expand")
def expand(site: Site) -> Compute:
    wanted = site.ints("shape", 1)

    def compute(x: Any, *rest: Any) -> Any:
        sizes = wanted((x, *rest))
        assert sizes is not None
        return x.expand(torch.broadcast_shapes(x.shape, sizes))

    return compute


@operator("Tile")
def tile(site: Site) -> Compute:
    repeats = site.ints("repeats", 1)
    return lambda x, *rest: x.tile(repeats((x, *rest)) or [])


@operator("ConstantOfShape")
def constant_of_shape(site: Site) -> Compute:
    value = site.attr("value")
    fill = torch.zeros(1) if value is None else torch.from_numpy(value.numpy().copy())
    return lambda sizes: fill.reshape(()).expand(numbers(sizes))


@operator("Constant")
def constant(site: Site) -> Compute:
    """Floats come in here only where they are no weights: those are read before (`weights.py`)."""
    for name, kind in (("value_int", "int64"), ("value_ints", "int64"), ("value_float", "float32")):
        if site.attr(name) is not None:
            made = torch.tensor(site.attr(name), dtype=getattr(torch, kind))
            return lambda: made
    if site.attr("value_floats") is not None:
        floats = torch.tensor(site.attr("value_floats"), dtype=torch.float32)
        return lambda: floats
    value = site.attr("value")
    if value is None:
        site.refuse("a constant that is no dense tensor of numbers")
    array = value.numpy()
    if array.dtype.kind not in "fiub":
        site.refuse(f"a constant of type {array.dtype}")
    stored = torch.from_numpy(array.copy())
    return lambda: stored


@operator("Range")
def range_(_site: Site) -> Compute:
    return lambda start, limit, delta: torch.arange(*map(number, (start, limit, delta)), dtype=start.dtype)


@operator("EyeLike")
def eye_like(site: Site) -> Compute:
    wanted, offset = site.attr("dtype"), site.attr("k", 0)

    def compute(x: Any) -> Any:
        ones = torch.ones(x.shape, dtype=dtype(wanted) if wanted else x.dtype, device=x.device)
        return ones.triu(offset).tril(offset)

    return compute


@operator("OneHot")
def one_hot(site: Site) -> Compute:
    axis = site.attr("axis", -1)

    def compute(places: Any, depth: Any, values: Any) -> Any:
        count = int(number(depth))
        spread = torch.arange(count, dtype=torch.int64)
        places, spread, values = together(places, spread, values)
        there = (places.long() % count).unsqueeze(axis)
        view = [1] * there.dim()
        view[axis] = count
        return torch.where(there == spread.reshape(view), values[1], values[0])

    return compute
