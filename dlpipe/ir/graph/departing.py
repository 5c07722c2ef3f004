"""At which layer of the original an import begins to depart from it.

The converter that made the model may have named its values as it liked and changed their layout, so a layer counts as
reproduced where any value of the model equals its output, in this or another order of axes. Converters merge layers,
so single gaps say nothing: named is the layer that follows the last one that is reproduced.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from . import executing, files

MAX_BYTES = 1 << 30  # of intermediate values that are held at once
_MOST_AXES = 4  # of which all orders are tried


def find(folder: Path, samples: Path, layers: Path, names: Sequence[str], tolerance: float, scratch: Path) -> Any:
    """{"layer", "agrees_until", "reproduced": count, "layers": count}. tolerance: of the layer's range."""
    wanted = files.read_npz(layers)
    originals = [wanted[str(index)] for index in range(len(names))]
    reproduced = [False] * len(names)
    for value in _values(folder, samples, scratch):
        for index, original in enumerate(originals):
            if not reproduced[index] and _equal(original, value, tolerance):
                reproduced[index] = True
    last = max((index for index, each in enumerate(reproduced) if each), default=-1)
    following = min(last + 1, len(names) - 1)  # all are there, and the output is none of them: behind the last
    return {
        "layer": names[following],
        "agrees_until": names[last] if last >= 0 else None,
        "reproduced": sum(reproduced),
        "layers": len(names),
    }


def _values(folder: Path, samples: Path, scratch: Path) -> Iterator[Any]:
    """Every value that the model computes for sample 0, a part of the graph's at a time."""
    model = files.read(folder / files.MODEL)
    names = [name for node in model.graph.node for name in node.output if name]
    declared = [value.name for value in model.graph.output]
    sizes = {value.name: _bytes(value) for value in (*model.graph.value_info, *model.graph.output)}
    probe = scratch / "probe.onnx"
    # Weights beside the model are copied, since links are refused.
    beside = [path for path in folder.iterdir() if path.name != files.MODEL and path.is_file()]
    for path in beside:
        shutil.copyfile(path, scratch / path.name)
    for part in _parts(names, sizes):
        del model.graph.output[len(declared) :]
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in part if name not in declared)
        probe.write_bytes(model.SerializeToString())
        session = executing.open_session(probe, optimisation="none")
        feed = executing.one(executing.feeds_of(session, samples), 0)
        yield from session.run(list(part), feed)
    for name in (probe.name, *(path.name for path in beside)):
        (scratch / name).unlink(missing_ok=True)


def _parts(names: Sequence[str], sizes: dict[str, int]) -> Iterator[list[str]]:
    part: list[str] = []
    total = 0
    for name in names:
        size = sizes.get(name, MAX_BYTES // 64)
        if part and total + size > MAX_BYTES:
            yield part
            part, total = [], 0
        part.append(name)
        total += size
    if part:
        yield part


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
