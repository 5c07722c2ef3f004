"""The same numbers in another shape, order or layout; constants."""

from __future__ import annotations

import numpy as np

from ..reading import read_blob
from ..schema import NHWC
from ..step import Step, operator


@operator("Const")
def _const(step: Step) -> None:
    step.expect((0, 0))
    blob = step.op.table("Blob")
    step.done(step.constant(read_blob(step.op, blob), "data"), 0, int(blob.number(1, "int8")))


@operator("ConvertTensor")
def _convert_tensor(step: Step) -> None:
    """Only a change from or to NHWC shows: NC4HW4 is how MNN keeps NCHW in memory."""
    step.expect()
    table = step.op.table("TensorConvertInfo")
    source, target = int(table.number(0, "int8")), int(table.number(1, "int8"))
    rank = step.rank()
    if (source == NHWC) == (target == NHWC) or rank < 3:
        step.done(step.value, 0, target)
        return
    perm = [0, rank - 1, *range(1, rank - 1)] if source == NHWC else [0, *range(2, rank), 1]
    step.done(step.graph.node("Transpose", [step.value], step.tops[0], step.op.name, perm=perm), 0, target)


@operator("Permute", "Transpose", limits="no order that is computed at run time")
def _permute(step: Step) -> None:
    step.expect((1, 2))
    if step.op.type == "Transpose":
        perm = step.constant_input(1)
    else:
        perm = [int(each) for each in step.op.table("Permute").array(0, "int32")]
    if sorted(perm) != list(range(step.rank())):
        step.fail(f"the order {perm} of {step.rank()} axes")
    step.out("Transpose", [step.value], perm=perm)


@operator("Reshape", limits="no shape that is computed at run time")
def _reshape(step: Step) -> None:
    step.expect((1, 2))
    table = step.op.table("Reshape")
    dims = step.constant_input(1) if len(step.inputs) == 2 else [int(each) for each in table.array(0, "int32")]
    kind = int(table.number(1, "int8"))
    if (kind == NHWC) != (step.format == NHWC) and step.rank() == 4:
        step.unsupported("it reshapes in another layout than it is given")
    step.out("Reshape", [step.value, step.ints(dims, "shape")])


@operator("Flatten")
def _flatten(step: Step) -> None:
    step.expect()
    table = step.op.table("Flatten")
    axis, end = int(table.number(0, "int32")), int(table.number(1, "int32"))
    rank = step.rank()
    if axis == 1 and end in (0, -1, rank - 1):
        step.out("Flatten", [step.value], axis=1)
    else:
        step.unsupported(f"it flattens the axes {axis} to {end}")


def _listed(step: Step) -> list[int]:
    """The axes, said by a constant input or by the operator."""
    step.expect((1, 2))
    if len(step.inputs) == 2:
        return step.constant_input(1)
    if step.op.main is None:
        return []
    return [int(each) for each in step.op.table("SqueezeParam").array(0, "int32")]


@operator("Squeeze")
def _squeeze(step: Step) -> None:
    shape = step.shape()
    axes = sorted({step.axis(each, len(shape)) for each in _listed(step)})
    if not axes:
        if not all(isinstance(dim, int) for dim in shape):
            step.unsupported("which axes it drops is computed at run time")
        axes = [index for index, dim in enumerate(shape) if dim == 1]
    step.out("Squeeze", [step.value, step.ints(axes, "axes")])


@operator("Unsqueeze")
def _unsqueeze(step: Step) -> None:
    step.out("Unsqueeze", [step.value, step.ints(_listed(step), "axes")])


@operator("ExpandDims")
def _expand_dims(step: Step) -> None:
    step.expect((1, 2))
    axes = step.constant_input(1) if len(step.inputs) == 2 else [int(step.op.table("ExpandDims").number(2, "int32"))]
    step.out("Unsqueeze", [step.value, step.ints(axes, "axes")])


@operator("Shape")
def _shape(step: Step) -> None:
    step.expect()
    found = step.shape()
    if all(isinstance(dim, int) for dim in found):
        step.done(step.constant(np.asarray(found, np.int32), "shape"))
    else:
        step.unsupported("it asks for a shape that is free")


@operator("Rank")
def _rank(step: Step) -> None:
    step.expect()
    step.done(step.constant(np.int32(step.rank()), "rank"))


@operator("Tile")
def _tile(step: Step) -> None:
    step.expect(2)
    step.out("Tile", [step.value, step.ints(step.constant_input(1), "repeats")])


@operator("BroadcastTo")
def _broadcast_to(step: Step) -> None:
    step.expect(2)
    step.out("Expand", [step.value, step.ints(step.constant_input(1), "shape")])


@operator("DepthToSpace", "SpaceToDepth")
def _depth_to_space(step: Step) -> None:
    step.expect()
    step.image()
    table = step.op.table("DepthSpaceParam")
    block, mode = int(table.number(0, "int32")), int(table.number(1, "int8"))
    if step.op.type == "SpaceToDepth":
        if mode:
            step.unsupported("its order of channels is not converted")
        step.out("SpaceToDepth", [step.value], blocksize=block)
    else:
        step.out("DepthToSpace", [step.value], blocksize=block, mode="CRD" if mode else "DCR")
