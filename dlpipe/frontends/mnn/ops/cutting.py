"""Parts of tensors: joined, divided, cut out, bordered."""

from __future__ import annotations

import itertools

from ..step import Step, operator

_CAFFE, _TENSORFLOW = 0, 1
_ALL = (1 << 31) - 1


@operator("Concat")
def _concat(step: Step) -> None:
    step.expect(None)
    axis = int(step.op.table("Axis").number(0, "int32"))
    step.out("Concat", step.inputs, axis=step.axis(axis, step.rank()))


@operator("Slice")
def _slice(step: Step) -> None:
    """Points where to cut in files from Caffe; sizes of the parts, or nothing for equal ones, in others."""
    step.expect(1, None)
    table = step.op.table("Slice")
    axis = step.axis(int(table.number(0, "int32")), step.rank())
    points, source = [int(each) for each in table.array(1, "int32")], int(table.number(2, "int8"))
    size = step.shape()[axis]
    if not isinstance(size, int):
        step.unsupported("the size of what it divides must be known")
    count = len(step.tops)
    if source == _CAFFE and points:
        bounds = [0, *points, size]
        sizes = [end - start for start, end in itertools.pairwise(bounds)]
    elif len(points) == count:
        sizes = points
        if sizes.count(-1) == 1:
            rest = size - sum(each for each in sizes if each != -1)
            sizes = [rest if each == -1 else each for each in sizes]
    else:
        sizes = [size // count] * count
    if len(sizes) != count or min(sizes) < 1 or sum(sizes) != size:
        step.fail(f"{size} cannot be divided into {sizes[:8]}")
    made = step.graph.node("Split", [step.value, step.ints(sizes, "sizes")], step.tops, step.op.name, axis=axis)
    del made
    for top, name in enumerate(step.tops):
        step.done(name, top)


@operator("SliceTf")
def _slice_tf(step: Step) -> None:
    step.expect(3)
    begin, size = step.constant_input(1), step.constant_input(2)
    if len(begin) != len(size) or len(begin) > step.rank() or min(begin, default=0) < 0:
        step.fail(f"it cuts {size} from {begin}")
    ends = [_ALL if count == -1 else start + count for start, count in zip(begin, size, strict=True)]
    step.out("Slice", [step.value, step.ints(begin, "starts"), step.ints(ends, "ends"), step.ints(range(len(begin)))])


@operator("StridedSlice", limits="no place that is computed at run time; no new axes")
def _strided_slice(step: Step) -> None:
    """TensorFlow's, with masks; or, where the file says so, ONNX's: starts, ends, axes, steps."""
    step.expect((3, 5))
    table = step.op.table("StridedSliceParam")
    if int(table.number(7, "int32")) == 1:
        places = [step.constant_input(index) for index in range(1, len(step.inputs))]
        step.out("Slice", [step.value, *(step.ints(each) for each in places)])
        return
    step.expect(4)
    begin, end, stride = (step.constant_input(index) for index in (1, 2, 3))
    masks = [int(table.number(slot, "int32")) for slot in (2, 3, 4, 5, 6)]
    if masks[2] or masks[3]:
        step.unsupported("it adds axes, or leaves some open")
    if not len(begin) == len(end) == len(stride) <= step.rank() or 0 in stride:
        step.fail(f"it cuts from {begin} to {end}")
    starts, ends, dropped = [], [], []
    for axis, (first, last, by) in enumerate(zip(begin, end, stride, strict=True)):
        shrink = masks[4] >> axis & 1
        starts.append((0 if by > 0 else _ALL) if masks[0] >> axis & 1 and not shrink else first)
        if shrink:
            ends.append(first + 1 if first != -1 else _ALL)
            dropped.append(axis)
        else:
            ends.append((_ALL if by > 0 else -_ALL) if masks[1] >> axis & 1 else last)
    strides = [1 if axis in dropped else by for axis, by in enumerate(stride)]
    parts = [step.ints(starts, "starts"), step.ints(ends, "ends"), step.ints(range(len(begin)), "axes")]
    made = step.node("Slice", [step.value, *parts, step.ints(strides, "steps")])
    step.name_top(step.node("Squeeze", [made, step.ints(dropped, "dropped")]) if dropped else made)


@operator("Padding")
def _padding(step: Step) -> None:
    step.expect((2, 3))
    kind = int(step.op.table("PadParam").number(0, "int8")) if step.op.main is not None else 0
    modes = {0: "constant", 1: "reflect", 3: "edge"}
    if kind not in modes:
        step.unsupported(f"it is of the kind {kind}")
    amounts = step.constant_input(1)
    rank = step.rank()
    if len(amounts) != 2 * rank:
        step.fail(f"{len(amounts)} amounts for {rank} axes")
    inputs = [step.value, step.ints([*amounts[0::2], *amounts[1::2]], "pads")]
    if kind == 0 and len(step.inputs) == 3:
        inputs.append(step.inputs[2])
    step.out("Pad", inputs, mode=modes[kind])


@operator("Gather", "GatherV2", limits="constant places along a constant axis")
def _gather(step: Step) -> None:
    step.expect((2, 3))
    if len(step.inputs) == 3:
        axis = next(iter(step.constant_input(2)), 0)
    elif step.op.type == "Gather" and step.op.main is not None:
        axis = int(step.op.table("Gather").number(3, "int32"))
    else:
        axis = 0
    step.out("Gather", step.inputs[:2], axis=step.axis(axis, step.rank()))


@operator("Pack")
def _pack(step: Step) -> None:
    step.expect(None)
    rank = step.rank() + 1
    axis = step.axis(int(step.op.table("PackParam").number(1, "int32")), rank)
    parts = [step.node("Unsqueeze", [each, step.ints([axis], "axis")]) for each in step.inputs]
    step.out("Concat", parts, axis=axis)


@operator("Unpack")
def _unpack(step: Step) -> None:
    step.expect(1, None)
    axis = step.axis(int(step.op.table("Axis").number(0, "int32")), step.rank())
    if step.shape()[axis] != len(step.tops):
        step.fail(f"{len(step.tops)} parts of {step.shape()[axis]}")
    parts = [step.graph.fresh(f"{step.op.name}.part") for _ in step.tops]
    step.graph.node("Split", [step.value], parts, step.op.name, axis=axis, num_outputs=len(parts))
    for top, part in enumerate(parts):
        made = step.graph.node("Squeeze", [part, step.ints([axis], "axis")], step.tops[top], step.op.name)
        step.done(made, top)
