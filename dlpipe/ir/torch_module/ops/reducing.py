"""Reductions, sums along an axis, largest elements."""

from collections.abc import Callable
from typing import Any

import torch

from .table import Compute, Site, number, operator

_REDUCE: dict[str, Callable[[Any, list[int], bool], Any]] = {
    "ReduceMean": lambda x, dims, keep: x.mean(dims, keepdim=keep),
    "ReduceSum": lambda x, dims, keep: x.sum(dims, keepdim=keep, dtype=x.dtype),
    "ReduceMax": lambda x, dims, keep: x.amax(dims, keepdim=keep),
    "ReduceMin": lambda x, dims, keep: x.amin(dims, keepdim=keep),
    "ReduceL1": lambda x, dims, keep: x.abs().sum(dims, keepdim=keep),
    "ReduceL2": lambda x, dims, keep: torch.linalg.vector_norm(x, 2, dims, keepdim=keep),
    "ReduceSumSquare": lambda x, dims, keep: x.square().sum(dims, keepdim=keep),
    "ReduceLogSumExp": lambda x, dims, keep: x.logsumexp(dims, keepdim=keep),
    "ReduceLogSum": lambda x, dims, keep: x.sum(dims, keepdim=keep).log(),
}


@operator(*_REDUCE)
def reduced(site: Site) -> Compute:
    function, keep = _REDUCE[site.op], bool(site.attr("keepdims", 1))
    axes, as_is = site.ints("axes", 1), site.attr("noop_with_empty_axes", 0)

    def compute(x: Any, *rest: Any) -> Any:
        dims = axes((x, *rest))
        if not dims:
            if as_is:
                return x
            dims = list(range(x.dim()))
        return function(x, dims, keep) if x.dim() else x

    return compute


@operator("ReduceProd")
def product(site: Site) -> Compute:
    keep, axes, as_is = bool(site.attr("keepdims", 1)), site.ints("axes", 1), site.attr("noop_with_empty_axes", 0)

    def compute(x: Any, *rest: Any) -> Any:
        dims = axes((x, *rest))
        if not dims and as_is:
            return x
        for dim in sorted((each % x.dim() for each in dims or range(x.dim())), reverse=True):
            x = x.prod(dim, keepdim=keep, dtype=x.dtype)
        return x

    return compute


@operator("ArgMax", "ArgMin")
def arg(site: Site) -> Compute:
    function = torch.argmax if site.op == "ArgMax" else torch.argmin
    axis, keep = site.attr("axis", 0), bool(site.attr("keepdims", 1))
    if site.attr("select_last_index", 0):
        site.refuse("select_last_index")
    return lambda x: function(x, axis, keepdim=keep)


@operator("CumSum")
def cumsum(site: Site) -> Compute:
    exclusive, reverse = site.attr("exclusive", 0), site.attr("reverse", 0)

    def compute(x: Any, axis: Any) -> Any:
        dim = int(number(axis))
        x = x.flip(dim) if reverse else x
        total = x.cumsum(dim, dtype=x.dtype)
        total = total - x if exclusive else total
        return total.flip(dim) if reverse else total

    return compute


@operator("TopK")
def top_k(site: Site) -> Compute:
    axis, largest, in_order = site.attr("axis", -1), bool(site.attr("largest", 1)), bool(site.attr("sorted", 1))
    fixed = site.attr("k")

    def compute(x: Any, count: Any = None) -> Any:
        values, places = x.topk(int(number(count)) if fixed is None else fixed, axis, largest, in_order)
        return values, places

    return compute
