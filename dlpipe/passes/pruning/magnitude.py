"""Which weights are the smallest: masks of what stays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from ..graph.infra import constant

SCOPES = ("global", "layer")
_LEAST = 0.01  # of a layer's weights, which stay however small they are: a layer of zeros cuts the net in two
# Operators whose work grows with their weights, and along which axis of which input they sum.
_SUMMED = {"Conv": {1: 1}, "ConvTranspose": {1: 0}, "MatMul": {0: -1, 1: -2}, "Gemm": {0: 1, 1: 0}}
_RECURRENT = {"LSTM": {1: 2, 2: 2}, "GRU": {1: 2, 2: 2}, "RNN": {1: 2, 2: 2}}


@dataclass(frozen=True, slots=True)
class Goal:
    """`sparsity`: the part of the weights that goes. `pattern`: (n, m) if n of every m neighbours stay, whatever the
    sparsity; then `scope` has no meaning."""

    sparsity: float
    pattern: tuple[int, int] | None
    scope: str


def weights(model: ir.Model, exclude: list[str]) -> dict[str, tuple[ir.Value, int, str]]:
    """Name -> (the stored weight, the axis that is summed over, its node), of all products; `exclude` names nodes."""
    found: dict[str, tuple[ir.Value, int, str]] = {}
    for node in model.graph.all_nodes():
        if node.domain != "" or str(node.name) in exclude:
            continue
        for index, axis in {**_SUMMED, **_RECURRENT}.get(node.op_type, {}).items():
            value = node.inputs[index] if index < len(node.inputs) else None
            array = constant(value)
            if value is None or array is None or array.ndim < 2 or array.dtype.kind != "f":
                continue
            flipped = node.op_type == "Gemm" and node.attributes.get_int("transB" if index else "transA", 0)
            summed = 1 - axis if flipped else axis % array.ndim
            found.setdefault(str(value.name), (value, summed, str(node.name)))
    return found


def masks(arrays: Mapping[str, Any], axes: Mapping[str, int], goal: Goal) -> dict[str, Any]:
    """Name -> True where a weight stays. Of equals the first go; what is zero goes first, so that masks for a growing
    sparsity lie within each other."""
    if goal.pattern is not None:
        fitting = {name: array for name, array in arrays.items() if array.shape[axes[name]] % goal.pattern[1] == 0}
        return {name: _neighbours(array, axes[name], *goal.pattern) for name, array in fitting.items()}
    if goal.scope == "layer":
        return {name: _largest(np.abs(array), 1.0 - goal.sparsity) for name, array in arrays.items()}
    sizes = {name: np.abs(array) for name, array in arrays.items()}
    sure = {name: _largest(array, _LEAST) for name, array in sizes.items()}
    together = np.concatenate([np.where(sure[name], np.inf, array).reshape(-1) for name, array in sizes.items()])
    kept = _largest(together, 1.0 - goal.sparsity)
    ends = np.cumsum([array.size for array in sizes.values()])[:-1]
    return {name: part.reshape(sizes[name].shape) for name, part in zip(sizes, np.split(kept, ends), strict=True)}


def sparsity_at(share: float, start: float, end: float) -> float:
    """The cubic schedule of Zhu and Gupta 2017: fast while there is much to lose, slow towards the end. `share`: of the
    time in which weights go, from 0 to 1."""
    return end + (start - end) * (1.0 - min(max(share, 0.0), 1.0)) ** 3


def _largest(sizes: Any, part: float) -> Any:
    """True for that part of the numbers, at least one of them."""
    flat, count = sizes.reshape(-1), max(1, round(sizes.size * part))
    least = np.partition(flat, flat.size - count)[flat.size - count]
    kept = flat > least
    equal = np.flatnonzero(flat == least)
    kept[equal[len(equal) - (count - int(kept.sum())) :]] = True
    return kept.reshape(sizes.shape)


def _neighbours(array: Any, axis: int, n: int, m: int) -> Any:
    moved = np.moveaxis(np.abs(array), axis, -1)
    groups = moved.reshape(*moved.shape[:-1], -1, m)
    ranks = np.argsort(np.argsort(groups, axis=-1, kind="stable"), axis=-1, kind="stable")
    return np.moveaxis((ranks >= m - n).reshape(moved.shape), -1, axis)
