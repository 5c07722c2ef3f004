"""Parts of blobs: joined, divided, cut out, bordered."""

from __future__ import annotations

from itertools import pairwise

from ..step import Step, layer

_REST = -233  # as far as it goes
_ALL = (1 << 31) - 1


@layer("Concat")
def _concat(step: Step) -> None:
    step.expect(None)
    axis = step.axis(step.layer.integer(0), step.rank())
    step.out("Concat", step.inputs, axis=axis)


@layer("Slice")
def _slice(step: Step) -> None:
    step.expect(1, None)
    sizes, axis, indices = step.layer.integers(0), step.layer.integer(1), step.layer.integers(2)
    where, tops = step.axis(axis, step.rank()), step.layer.tops
    size = step.size(step.shape()[where - 1])
    if indices:
        bounds = [0, *(each + size if each < 0 else each for each in indices), size]
        sizes = [end - start for start, end in pairwise(bounds)]
    if len(sizes) != len(tops):
        step.fail(f"{len(sizes)} sizes for {len(tops)} blobs")
    taken, counts = 0, []
    for index, each in enumerate(sizes):
        counts.append((size - taken) // (len(tops) - index) if each == _REST else each)
        taken += counts[-1]
    if min(counts) < 1 or taken > size:
        step.fail(f"{size} cannot be divided into {counts}")
    value = step.value
    if taken < size:
        cut = [step.ints([each], "bound") for each in (0, taken, where)]
        value = step.node("Slice", [value, *cut])
    for top, made in enumerate(step.nodes("Split", [value, step.ints(counts, "sizes")], len(tops), axis=where)):
        step.name_top(made, top)


@layer("Crop", limits="no place that is computed at run time")
def _crop(step: Step) -> None:
    integer = step.layer.integer
    begin = {"W": integer(0), "H": integer(1), "D": integer(13), "C": integer(2)}
    count = {"W": integer(3), "H": integer(4), "D": integer(14), "C": integer(5)}
    end = {"W": integer(6), "H": integer(7), "D": integer(15), "C": integer(8)}
    starts, ends, listed = (step.layer.integers(number) for number in (9, 10, 11))
    if _REST in begin.values() or any(end[name] and count[name] != _REST for name in end):
        step.unsupported("what it cuts out depends on the rank of its blob")
    rank = step.rank()
    names = {1: "W", 2: "HW", 3: "CHW", 4: "CDHW"}[rank]
    if starts and ends:
        step.expect()
        axes = [step.axis(each, rank) for each in listed] if listed else list(range(1, len(starts) + 1))
        if not len(starts) == len(ends) == len(axes) <= rank:
            step.fail(f"it cuts from {starts} to {ends} along {axes}")
        starts = [0 if each == _REST else each for each in starts]
        ends = [_ALL if each in (_REST, 0) else each for each in ends]
    elif len(step.inputs) == 2:
        step.expect(2)
        if any(end.values()) or any(count.values()):
            step.unsupported("it takes its size from a blob and has one of its own")
        wanted = step.shape(step.inputs[1])
        if len(wanted) != rank:
            step.unsupported(f"it is to be cut to the size of a blob of {len(wanted)} axes")
        axes = list(range(1, rank + 1))
        starts = [begin[name] for name in names]
        ends = [start + step.size(size) for start, size in zip(starts, wanted, strict=True)]
    else:
        step.expect()
        axes = list(range(1, rank + 1))
        starts = [begin[name] for name in names]
        ends = [_end(begin[name], count[name], end[name]) for name in names]
        if 0 in [count[name] for name in names]:
            step.unsupported("it leaves open how much it cuts out")
    step.out("Slice", [step.value, step.ints(starts, "starts"), step.ints(ends, "ends"), step.ints(axes, "axes")])


def _end(begin: int, count: int, behind: int) -> int:
    """ONNX's end of an axis: `count` numbers, or all but the last `behind`."""
    if count == _REST:
        return -behind if behind else _ALL
    return begin + count


@layer("Padding", limits="no amounts that are computed at run time")
def _padding(step: Step) -> None:
    step.expect()
    top, bottom, left, right, kind = (step.layer.integer(number) for number in range(5))
    value, channels = step.layer.real(5), step.layer.integer(6)
    front, behind = step.layer.integer(7), step.layer.integer(8)
    rank = step.rank(1, 2, 3)
    if channels or kind not in (0, 1, 2):
        step.unsupported("it fills with a number for each channel" if channels else f"it is of the kind {kind}")
    if min(top, bottom, left, right, front, behind) < 0:
        step.unsupported("its amounts are computed at run time")
    if ((rank < 3 or kind) and (front or behind)) or (rank < 2 and (top or bottom)):
        step.unsupported(f"it pads more than {rank} axes")
    amounts = [0, *[front, top, left][3 - rank :], 0, *[behind, bottom, right][3 - rank :]]
    inputs = [step.value, step.ints(amounts, "pads"), *([] if kind else [step.number(value, "fill")])]
    step.out("Pad", inputs, mode=["constant", "edge", "reflect"][kind])
