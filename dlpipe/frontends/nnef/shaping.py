"""Operations that move elements."""

from __future__ import annotations

import math

import numpy as np

from .step import MOST_TENSORS, Step, Tensor, handles

_MODES = {"replicate": "edge", "reflect": "reflect"}


@handles("reshape")
def _reshape(step: Step) -> Tensor:
    """0 keeps a dim, -1 takes what is left; only the dims from `axis_start` on, `axis_count` of them, change."""
    value, shape = step.tensor("input"), step.args["shape"]
    rank, start, count = step.rank(value), step.integer("axis_start"), step.integer("axis_count")
    end = rank if count == -1 else start + count
    if not isinstance(shape, list) or not 0 <= start <= end <= rank:
        step.fail(f"a reshape of {rank} dims from {start} to {end}")
    sizes = step.shape(value)
    made = [sizes[start + index] if each == 0 else each for index, each in enumerate(shape)]
    whole = [*sizes[:start], *made, *sizes[end:]]
    if all(isinstance(each, int) for each in whole):
        whole = _settled(step, whole, made, sizes[start:end], start)
        return step.result("Reshape", [value, step.ints(whole)])
    # Free dims: ONNX's own 0 keeps the dim of the same number, and -1 takes one that is left.
    written = [0 if each == sizes[at : at + 1][0] and not isinstance(each, int) else each
               for at, each in enumerate(whole) if at < rank] + whole[rank:]  # fmt: skip
    free = [each for each in written if not isinstance(each, int)]
    if len(free) == 1 and -1 not in written:
        written = [each if isinstance(each, int) else -1 for each in written]
    elif free:
        step.fail(f"a reshape to {whole}", "unsupported", hint="give the free dims sizes, e.g. --shape S=16")
    return step.result("Reshape", [value, step.ints(written)])


def _settled(step: Step, whole: list[int], made: list[int], given: tuple[int, ...], start: int) -> list[int]:
    """With what -1 stands for. Raises Refused where the numbers of elements differ."""
    others, count = math.prod(each for each in made if each != -1), math.prod(given)
    if (
        min(made, default=0) < -1
        or made.count(-1) > 1
        or (others != count if -1 not in made else count % max(others, 1))
    ):
        step.fail(f"{list(given)} does not fit {made}")
    if -1 in made:
        whole = list(whole)
        whole[start + made.index(-1)] = count // max(others, 1)
    return whole


@handles("transpose")
def _transpose(step: Step) -> Tensor:
    value = step.tensor("input")
    rank = step.rank(value)
    axes = step.axes("axes", rank)
    return step.result("Transpose", [value], perm=[*axes, *range(len(axes), rank)])


@handles("concat")
def _concat(step: Step) -> Tensor:
    values = step.tensors("values")
    return step.result("Concat", values, axis=step.axis("axis", step.rank(values[0])))


@handles("stack")
def _stack(step: Step) -> Tensor:
    values = step.tensors("values")
    axis = step.axis("axis", step.rank(values[0]) + 1)
    return step.result("Concat", [step.unsqueeze(each, [axis]) for each in values], axis=axis)


@handles("split")
def _split(step: Step) -> list[Tensor]:
    value, ratios = step.tensor("value"), step.integers("ratios")
    axis = step.axis("axis", step.rank(value))
    (size,) = step.sizes(value, [axis])
    total = sum(ratios)
    if min(ratios, default=0) < 1 or size % total:
        step.fail(f"{size} cannot be split as {ratios}")
    parts = [size // total * each for each in ratios]
    names = [step.name(index) for index in range(len(parts))]
    step.graph.node("Split", [value.name, step.ints(parts)], names, step.label, axis=axis)
    return [Tensor(each) for each in names]


@handles("unstack")
def _unstack(step: Step) -> list[Tensor]:
    value = step.tensor("value")
    axis = step.axis("axis", step.rank(value))
    (size,) = step.sizes(value, [axis])
    if size > MOST_TENSORS:
        step.fail(f"{size} tensors", "unsupported")
    parts = step.emit_many("Split", [value, step.ints([1] * size)], size, axis=axis)
    at = step.ints([axis])
    return [step.result("Squeeze", [each, at], index) for index, each in enumerate(parts)]


@handles("slice")
def _slice(step: Step) -> Tensor:
    """With steps of one an end of 0 is the dim's end; a missing end is too."""
    value = step.tensor("input")
    axes, begin, end = step.axes("axes", step.rank(value)), step.integers("begin"), step.integers("end")
    stride = step.integers("stride") or [1] * len(axes)
    if not len(axes) == len(begin) == len(end) == len(stride) or 0 in stride:
        step.fail(f"a slice of axes {axes} from {begin} to {end} in steps of {stride}")
    if all(each == 1 for each in stride):
        end = [each or (1 << 31) - 1 for each in end]
    return step.result("Slice", [value, *map(step.ints, (begin, end, axes, stride))])


@handles("squeeze", "unsqueeze")
def _squeeze(step: Step) -> Tensor:
    value = step.tensor("input")
    axes = step.integers("axes")
    step.in_rank(axes, step.rank(value) + (len(axes) if step.op == "unsqueeze" else 0))
    return step.result(step.op.capitalize(), [value, step.ints(axes)])


@handles("tile")
def _tile(step: Step) -> Tensor:
    value, repeats = step.tensor("input"), step.integers("repeats")
    if len(repeats) != step.rank(value) or min(repeats, default=1) < 1:
        step.fail(f"{repeats} repeats of a tensor with {step.rank(value)} dims")
    return step.result("Tile", [value, step.ints(repeats)])


@handles("gather")
def _gather(step: Step) -> Tensor:
    value = step.tensor("input")
    indices = step.tensor("indices")
    if np.dtype(step.graph.dtype(indices.name)).kind != "i":
        indices = step.emit("Cast", [indices], to=7)
    return step.result("Gather", [value, indices], axis=step.axis("axis", step.rank(value)))


@handles("pad")
def _pad(step: Step) -> Tensor:
    value, pads = step.tensor("input"), padding(step, step.rank(step.tensor("input")))
    border = step.choice("border", "constant", "replicate", "reflect", "reflect-even")
    padded = bordered(step, value, pads, border, step.number("value"))
    return step.result("Identity", [padded])


def padding(step: Step, count: int, key: str = "padding") -> list[tuple[int, int]]:
    """[(before, after)] of `count` dims."""
    value = step.args[key]
    if not isinstance(value, list) or len(value) != count:
        step.fail(f"{key} is {value!r}; it has a pair for each of {count} dims")
    for each in value:
        if (
            not isinstance(each, tuple)
            or len(each) != 2
            or not all(isinstance(one, int) and abs(one) < 1 << 20 for one in each)
        ):
            step.fail(f"{key} is {value!r}; it has a pair for each of {count} dims")
    return list(value)


def bordered(step: Step, value: Tensor, pads: list[tuple[int, int]], border: str, filler: float = 0.0) -> Tensor:
    """The tensor with elements added (or, below 0, taken away) at both ends of every dim."""
    if border == "reflect-even":
        return _mirrored(step, value, pads)
    amounts = step.ints([each[0] for each in pads] + [each[1] for each in pads])
    if border == "constant":
        dtype = step.graph.dtype(value.name) or np.float32
        return step.emit("Pad", [value, amounts, step.constant(np.asarray(filler, dtype))])
    return step.emit("Pad", [value, amounts], mode=_MODES[border])


def _mirrored(step: Step, value: Tensor, pads: list[tuple[int, int]]) -> Tensor:
    """The outermost element is repeated as well, which ONNX's reflection does not do."""
    for axis, (before, after) in enumerate(pads):
        if not before and not after:
            continue
        (size,) = step.sizes(value, [axis])
        if size > 1 << 20 or before > size or after > size or min(before, after) < 0:
            step.fail(f"a reflection of {before} and {after} elements of {size}")
        order = [*reversed(range(before)), *range(size), *reversed(range(size - after, size))]
        value = step.emit("Gather", [value, step.ints(order)], axis=axis)
    return value
