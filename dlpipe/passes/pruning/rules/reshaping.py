"""Operators that move dims about (Transpose, Squeeze, Unsqueeze, Flatten, Reshape, Resize), and Shape."""

import math
from collections.abc import Sequence

import numpy as np

from ...graph.infra import constant
from ..following import Kept, Rule, Step
from ..units import Labels
from .joining import replace_integers
from .shape_target import ShapeTarget


def transpose(step: Step) -> None:
    dims = step.dims(0)
    if dims is None:
        return
    stated = step.node.attributes.get("perm")
    perm = stated.as_ints() if stated is not None else tuple(reversed(range(len(dims))))
    step.put([step.claim(0, axis) for axis in perm])


def squeeze(step: Step) -> None:
    dims, axes = step.dims(0), _axes(step)
    if dims is None or axes is None:
        return
    gone = {axis % len(dims) for axis in axes}
    step.put([step.claim(0, axis) for axis in range(len(dims)) if axis not in gone])


def unsqueeze(step: Step) -> None:
    dims, axes = step.dims(0), _axes(step)
    if dims is None or axes is None:
        return
    rank = len(dims) + len(axes)
    new, old = {axis % rank for axis in axes}, iter(range(len(dims)))
    step.put([None if axis in new else step.claim(0, next(old)) for axis in range(rank)])


def _axes(step: Step) -> Sequence[int] | None:
    """None where they are not stored, or depend on the shape."""
    if "axes" in step.node.attributes:
        return tuple(step.node.attributes["axes"].as_ints())
    stored = step.stored(1)
    return None if stored is None else tuple(int(axis) for axis in stored)


def flatten(step: Step) -> None:
    dims = step.dims(0)
    if dims is None:
        return
    stated = step.node.attributes.get_int("axis", 1)
    axis = stated + len(dims) if stated < 0 else stated
    step.put([_merge(step, range(axis)), _merge(step, range(axis, len(dims)))])


def reshape(step: Step) -> None:
    """Dims that stay, dims that are merged, and one that is taken apart; what mixes channels is not followed."""
    dims, made = step.dims(0), step.node.outputs[0].shape
    target = ShapeTarget.read(step.node)
    if dims is None or target is None or made is None or len(target.entries) != len(made):
        return
    old = [step.size(0, axis) for axis in range(len(dims))]
    new = [size if isinstance(size, int) else None for size in made]
    segments = _segments(old, new)
    if segments is None:
        return
    labels: list[Labels] = [None] * len(new)
    for left, right in segments:
        if len(right) == 1:
            labels[right[0]] = _merge(step, left)
        elif len(left) == 1:
            for axis, part in zip(right, _take_apart(step, left[0], [new[axis] for axis in right]), strict=True):
                labels[axis] = part
    for axis, entry in enumerate(target.entries):
        if entry is None:
            step.freeze(labels[axis])  # a size that is computed: it may follow the cut, or may not
    step.put(labels)

    def follow_shape(kept: Kept) -> None:
        counts = [size if each is None else int(kept(each).sum()) for each, size in zip(labels, new, strict=True)]
        if counts != new:
            pairs = zip(target.entries, counts, strict=True)
            target.replace(step.node, [entry if entry in (None, -1) else count or 0 for entry, count in pairs])

    step.fix(follow_shape)


def _segments(old: list[int | None], new: list[int | None]) -> list[tuple[list[int], list[int]]] | None:
    """Runs of axes before and after that hold the same elements, as short as can be. Of the sizes that are not known
    there may be one on each side, and it must be the first: a batch, which stays one if the rest is as large."""
    if None in old[1:] or None in new[1:] or (old[:1] == [None]) != (new[:1] == [None]):
        return None
    before, after = [size or 0 for size in old], [size or 0 for size in new]
    if old[:1] == [None]:
        if math.prod(before[1:]) != math.prod(after[1:]):
            return None
        before[0] = after[0] = 1
    found: list[tuple[list[int], list[int]]] = []
    left, right = list(range(len(before))), list(range(len(after)))
    while left and right:
        one, other = [left.pop(0)], [right.pop(0)]
        while (have := math.prod(before[axis] for axis in one)) != (want := math.prod(after[axis] for axis in other)):
            source, run = (left, one) if have < want else (right, other)
            if not source:
                return None
            run.append(source.pop(0))
        found.append((one, other))
    return found  # what is left on one side are ones


def _merge(step: Step, axes: Sequence[int]) -> Labels:
    """The labels of several dims made one: a followed one is repeated along the others."""
    sizes = [step.size(0, axis) for axis in axes]
    followed = [turn for turn, axis in enumerate(axes) if _may_be_cut(step, axis)]
    if not followed or len(followed) > 1 or None in sizes:
        return None
    turn = followed[0]
    labels = step.claim(0, axes[turn])
    shape = [-1 if each == turn else 1 for each in range(len(sizes))]
    return np.broadcast_to(labels.reshape(shape), [size or 0 for size in sizes]).reshape(-1).copy()


def _may_be_cut(step: Step, axis: int) -> bool:
    labels = (step.dims(0) or ())[axis]
    return labels is not None and bool(step.traced.units.roots(labels).any())


def _take_apart(step: Step, axis: int, sizes: Sequence[int | None]) -> list[Labels]:
    """One dim becomes several: the largest (of equals the last) is followed, and what lies along the others is one
    with it. This is how the channels of a shuffle are followed."""
    if not _may_be_cut(step, axis) or None in sizes:
        return [None] * len(sizes)
    labels = step.claim(0, axis).reshape([size or 0 for size in sizes])
    main = max(range(len(sizes)), key=lambda turn: (sizes[turn] or 0, turn))
    rows = np.moveaxis(labels, main, 0).reshape(sizes[main] or 0, -1)
    for column in rows.T[1:]:
        step.tie(rows[:, 0], column)
    return [rows[:, 0] if turn == main else None for turn in range(len(sizes))]


def resize(step: Step) -> None:
    """A dim passes where its scale is one."""
    dims, attributes = step.dims(0), step.node.attributes
    cropped = attributes.get_string("coordinate_transformation_mode", "") == "tf_crop_and_resize"
    if dims is None or cropped or "axes" in attributes:
        return
    if step.has(3):
        _resize_to(step, dims)
        return
    stated = attributes["scales"].as_floats() if "scales" in attributes else step.stored(2 if step.has(2) else 1)
    if stated is not None and len(stated) == len(dims):
        step.put([step.claim(0, axis) if stated[axis] == 1.0 else None for axis in range(len(dims))])


def _resize_to(step: Step, dims: list[Labels]) -> None:
    sizes = step.stored(3)
    if sizes is None or step.node.attributes.get_string("keep_aspect_ratio_policy", "stretch") != "stretch":
        return
    same = [labels is not None and len(labels) == int(size) for labels, size in zip(dims, sizes, strict=True)]
    labels = [step.claim(0, axis) if same[axis] else None for axis in range(len(dims))]
    step.put(labels)

    def follow_sizes(kept: Kept) -> None:
        counts = [
            int(size) if each is None else int(kept(each).sum()) for each, size in zip(labels, sizes, strict=True)
        ]
        if counts != sizes.tolist():
            replace_integers(step, 3, counts)

    step.fix(follow_sizes)


def shape(step: Step) -> None:
    """Sizes that are read follow by themselves, unless they meet a number that was written down; so those stay that
    are read, and only those."""
    dims, node = step.dims(0), step.node
    if dims is None:
        return
    rank = len(dims)
    first, last, _ = slice(node.attributes.get_int("start", 0), node.attributes.get_int("end", rank)).indices(rank)
    read: set[int] = set()
    for consumer, index in node.outputs[0].uses():
        places = constant(consumer.inputs[1]) if consumer.op_type == "Gather" and index == 0 else None
        read |= (
            set(range(first, last)) if places is None else {int(each) % (last - first) + first for each in places.flat}
        )
    if node.outputs[0].is_graph_output():
        read = set(range(rank))
    for axis in set(range(rank)) - read:
        step.claim(0, axis)
    step.put([None])


RULES: dict[str, Rule] = {
    "Flatten": flatten,
    "Reshape": reshape,
    "Resize": resize,
    "Shape": shape,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
    "Upsample": resize,
}
