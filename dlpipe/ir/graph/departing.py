"""At which layer of the original an import begins to depart from it.

The converter that made the model may have named its values as it liked and changed their layout, so a layer counts as
reproduced where any value of the model equals its output, in this or another order of axes. Converters merge layers,
so single gaps say nothing: named is the layer that follows the last one that is reproduced.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import files, portions
from .probing import probing

MAX_BYTES = 64 << 20  # of intermediate values that are held at once, with one layer's beside them
_MOST_AXES = 4  # of which all orders are tried


def find(folder: Path, samples: Path, layers: Path, names: Sequence[str], tolerance: float, scratch: Path) -> Any:
    """{"layer", "agrees_until", "reproduced": count, "layers": count, "ends_alike": an output of the model is the last
    layer's}. tolerance: of the layer's range."""
    reproduced = [False] * len(names)
    ends_alike = False
    with np.load(layers, allow_pickle=False) as originals:  # each is read when it is asked for
        for values in _values(folder, samples, scratch):
            for index in range(len(names)):
                is_last = index == len(names) - 1
                if reproduced[index] and not is_last:
                    continue
                original = originals[str(index)]
                equal = [is_output for value, is_output in values if _equal(original, value, tolerance)]
                reproduced[index] |= bool(equal)
                ends_alike |= is_last and any(equal)
    last = max((index for index, each in enumerate(reproduced) if each), default=-1)
    following = min(last + 1, len(names) - 1)  # all are there, and the output is none of them: behind the last
    return {
        "layer": names[following],
        "agrees_until": names[last] if last >= 0 else None,
        "reproduced": sum(reproduced),
        "layers": len(names),
        "ends_alike": ends_alike,
    }


def _values(folder: Path, samples: Path, scratch: Path) -> Iterator[list[tuple[Any, bool]]]:
    """Every value that the model computes for sample 0, a part of the graph's at a time, and is it an output."""
    model = files.read(folder / files.MODEL)
    names = [name for node in model.graph.node for name in node.output if name]
    declared = {value.name for value in model.graph.output}
    sizes = {value.name: _bytes(value) for value in (*model.graph.value_info, *model.graph.output)}
    with probing(folder, model, samples, scratch) as probe:
        for part in portions.within(MAX_BYTES, names, lambda name: sizes.get(name, MAX_BYTES // 64)):
            yield [(value, name in declared) for name, value in zip(part, probe(part), strict=True)]


def _bytes(value: Any) -> int:
    dims = [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
    return int(np.prod(dims, dtype=np.int64)) * 8


def _equal(original: Any, value: Any, tolerance: float) -> bool:
    if not isinstance(value, np.ndarray) or original.size != value.size or not original.size:
        return False
    if original.dtype.kind not in "fiub" or value.dtype.kind not in "fiub":
        return False
    a, b = original.astype(np.float64).ravel(), value.astype(np.float64)
    if not np.isfinite(a).all():
        return False
    limit = tolerance * (float(np.ptp(a)) or abs(float(a[0])) or 1.0)
    if abs(float(a.sum() - b.sum())) > limit * a.size:  # no order of axes can mend this
        return False
    return any(float(np.abs(a - each.ravel()).max()) <= limit for each in _orders(b))


def _orders(value: Any) -> Iterator[Any]:
    """The value with its axes in every order: its own first."""
    squeezed = np.squeeze(value)
    if squeezed.ndim > _MOST_AXES:
        yield value
        return
    for order in itertools.permutations(range(squeezed.ndim)):
        yield squeezed.transpose(order)
