"""Operators that put dims together or take them apart: Concat, Split, Slice, Pad, Gather."""

import numpy as np
import onnx_ir as ir

from ...graph.infra import add_constant
from ..following import Kept, Rule, Step
from ..units import Labels

_SPLIT_WITH_INPUTS = 13


def concat(step: Step) -> None:
    found = [step.dims(index) for index in range(len(step.node.inputs))]
    if any(dims is None for dims in found):
        return
    rank = len(found[0] or ())
    joined = step.node.attributes.get_int("axis", 1) % rank
    made: list[Labels] = []
    for axis in range(rank):
        parts = [step.claim(index, axis) for index in range(len(found))]
        if axis == joined:
            made.append(_joined(step, parts))
        else:
            for part in parts[1:]:
                step.tie(parts[0], part)
            made.append(parts[0])
    step.put(made)


def _joined(step: Step, parts: list[Labels]) -> Labels:
    """A part that is not followed stays whole, if its size is known; else none of them can be followed."""
    axis = step.node.attributes.get_int("axis", 1)
    sizes = [step.size(index, axis) for index in range(len(parts))]
    if all(part is None for part in parts) or None in sizes:
        for part in parts:
            step.freeze(part)
        return None
    pairs = zip(parts, sizes, strict=True)
    return np.concatenate([np.zeros(size or 0, np.int64) if part is None else part for part, size in pairs])


def split(step: Step) -> None:
    dims, node = step.dims(0), step.node
    if dims is None:
        return
    axis = node.attributes.get_int("axis", 0) % len(dims)
    shapes = [value.shape for value in node.outputs]
    sizes = [size for size in (shape[axis] for shape in shapes if shape is not None) if isinstance(size, int)]
    given = step.has(1) and step.stored(1) is None
    if given or len(sizes) < len(node.outputs):
        return
    others = [step.claim(0, each) for each in range(len(dims))]
    ends = np.cumsum(sizes)[:-1]
    parts = [None] * len(sizes) if dims[axis] is None else np.split(dims[axis], ends)
    for output, part in enumerate(parts):
        step.put([part if each == axis else labels for each, labels in enumerate(others)], output)

    def resize(kept: Kept) -> None:
        counts = [int(kept(part).sum()) for part in parts if part is not None]
        if not counts or counts == sizes:
            return
        if step.traced.opset < _SPLIT_WITH_INPUTS:
            node.attributes["split"] = ir.AttrInt64s("split", counts)
            return
        node.attributes.pop("num_outputs", None)
        replace_integers(step, 1, counts)

    step.fix(resize)


def slice_(step: Step) -> None:
    """Dims that are not cut into pass; of a followed one, neighbours may be taken."""
    dims = step.dims(0)
    bounds = None if dims is None else _bounds(step, len(dims))
    if dims is None or bounds is None:
        return
    starts, ends, axes, strides = bounds
    made: dict[int, Labels] = dict.fromkeys(axes)
    runs: dict[int, tuple[Labels, int, int]] = {}
    for turn, axis in enumerate(axes):
        if dims[axis] is not None and strides[turn] == 1:
            labels = step.claim(0, axis)
            first, last, _ = slice(starts[turn], ends[turn]).indices(len(labels))
            made[axis] = labels[first:last]
            runs[turn] = (labels, first, max(first, last))
    step.put([made[axis] if axis in made else step.claim(0, axis) for axis in range(len(dims))])

    def move(kept: Kept) -> None:
        new_starts, new_ends = list(starts), list(ends)
        for turn, (labels, first, last) in runs.items():
            mask = kept(labels)
            if not mask.all():
                new_starts[turn] = int(mask[:first].sum())
                new_ends[turn] = int(mask[:last].sum())
        if (new_starts, new_ends) == (starts, ends):
            return
        if "starts" in step.node.attributes:
            step.node.attributes["starts"] = ir.AttrInt64s("starts", new_starts)
            step.node.attributes["ends"] = ir.AttrInt64s("ends", new_ends)
        else:
            replace_integers(step, 1, new_starts)
            replace_integers(step, 2, new_ends)

    step.fix(move)


def _bounds(step: Step, rank: int) -> tuple[list[int], list[int], list[int], list[int]] | None:
    """Starts, ends, axes and strides; None where one is not stored."""
    attributes = step.node.attributes
    if "starts" in attributes:
        starts, ends = (list(attributes[name].as_ints()) for name in ("starts", "ends"))
        axes = list(attributes["axes"].as_ints()) if "axes" in attributes else list(range(len(starts)))
        strides = [1] * len(starts)
    else:
        stored = [step.stored(index) for index in (1, 2, 3, 4)]
        if any(array is None and step.has(index) for index, array in enumerate(stored, 1)):
            return None
        starts, ends = stored[0].tolist(), stored[1].tolist()
        axes = list(range(len(starts))) if stored[2] is None else stored[2].tolist()
        strides = [1] * len(starts) if stored[3] is None else stored[3].tolist()
    return starts, ends, [axis % rank for axis in axes], strides


def pad(step: Step) -> None:
    """A dim passes where nothing is put before or behind it."""
    dims = step.dims(0)
    pads = step.node.attributes["pads"].as_ints() if "pads" in step.node.attributes else step.stored(1)
    axes = step.stored(3) if step.has(3) else range(len(dims or ()))
    if dims is None or pads is None or axes is None:
        return
    named = [int(axis) % len(dims) for axis in axes]
    padded = {axis for turn, axis in enumerate(named) if pads[turn] or pads[turn + len(named)]}
    step.put([None if axis in padded else step.claim(0, axis) for axis in range(len(dims))])


def gather(step: Step) -> None:
    """Takes places of one dim; the others pass, also those of a stored table (an embedding)."""
    dims, indices = step.dims(0), step.dims(1)
    if dims is None or indices is None:
        return
    axis = step.node.attributes.get_int("axis", 0) % len(dims)
    before = [step.claim(0, each) for each in range(axis)]
    behind = [step.claim(0, each) for each in range(axis + 1, len(dims))]
    step.put([*before, *[None] * len(indices), *behind])


def replace_integers(step: Step, index: int, values: list[int]) -> None:
    """Input `index` becomes a new constant: the old one may be read by others."""
    node = step.node
    new = add_constant(node.graph, np.array(values, np.int64), f"{node.name or node.outputs[0].name}/pruned_{index}")
    if index >= len(node.inputs):
        node.resize_inputs(index + 1)
    node.replace_input_with(index, new)


RULES: dict[str, Rule] = {"Concat": concat, "Gather": gather, "Pad": pad, "Slice": slice_, "Split": split}
