"""Layers that enlarge."""

from __future__ import annotations

import numpy as np

from ..step import Step, count, layer


@layer("Interp", limits="no positive padding")
def interp(step: Step) -> None:
    """DeepLab's and PSPNet's: bilinear, corners aligned; negative padding crops first."""
    step.expect((1, 2))
    params = step.params("interp_param")
    step.rank(4)
    shape = step.shapes[0]
    if params.pad_beg > 0 or params.pad_end > 0:
        step.fail("it pads, which Caffe's layer does not do either", "unsupported")
    inner = [size + params.pad_beg + params.pad_end for size in shape[2:]]
    if min(inner) < 1 or params.zoom_factor < 1 or params.shrink_factor < 1:
        step.fail(f"it crops {shape} to {inner}, zoom {params.zoom_factor}, shrink {params.shrink_factor}")
    value = step.inputs[0]
    if inner != shape[2:]:
        starts = step.ints([-params.pad_beg] * 2, "starts")
        ends = step.ints([-params.pad_beg + size for size in inner], "ends")
        value = step.node("Slice", [value, starts, ends, step.ints([2, 3], "axes")])
    if len(step.inputs) == 2:
        sizes = list(step.shapes[1][2:])
    elif params.height or params.width:
        sizes = [params.height, params.width]
    else:
        sizes = [(size - 1) // params.shrink_factor + 1 for size in inner]
        sizes = [size + (size - 1) * (params.zoom_factor - 1) for size in sizes]
    result = [*shape[:2], *sizes]
    if len(result) != 4 or min(sizes) < 1:
        step.fail(f"it asks for the size {sizes}")
    if any(new == 1 for new in sizes) and inner != sizes:
        step.fail("an aligned resize to one pixel has no agreed meaning", "unsupported")
    # The target in the form that holds for any batch: an exact ratio per axis.
    ratio = step.constant([1.0, 1.0, *map(_ratio, sizes, inner)], "scales")
    ratio = step.node("Cast", [ratio], to=1)
    step.out("Resize", [value, "", ratio], result, mode="linear", coordinate_transformation_mode="align_corners")


def _ratio(new: int, old: int) -> float:
    """new / old in single precision, such that the rounded-down product with `old` is `new` again: 31 / 7 is not."""
    ratio = np.float32(new / old)
    return float(np.nextafter(ratio, np.float32(np.inf)) if ratio * np.float32(old) < new else ratio)


@layer("Upsample", limits="two bottoms: SegNet's unpooling; one bottom: whole factors")
def upsample(step: Step) -> None:
    """One bottom: every pixel repeated. Two (SegNet): numbers put back to where a max pooling took them from."""
    step.expect((1, 2))
    params = step.params("upsample_param")
    step.rank(4)
    batch, channels, *space = step.shapes[0]
    scale = params.scale
    factors = [scale if each is None else each for each in (params.scale_h, params.scale_w)]
    if len(step.inputs) == 1:
        if any(each is None or each < 1 for each in factors):
            step.fail("it has no scale")
        result = [batch, channels, *(size * each for size, each in zip(space, factors, strict=True))]
        scales = step.node("Cast", [step.constant([1.0, 1.0, *map(float, factors)], "scales")], to=1)
        step.out(
            "Resize", [step.inputs[0], "", scales], result,
            mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        )  # fmt: skip
        return
    given = [params.upsample_h, params.upsample_w]
    padded = [params.pad_out_h, params.pad_out_w]
    sizes = []
    for size, own, factor, less in zip(space, given, factors, padded, strict=True):
        if own is None and (factor is None or factor < 1):
            step.fail("it has no size")
        sizes.append(own if own is not None else size * factor - (1 if less else 0))
    if step.shapes[1] != step.shapes[0] or min(sizes) < 1:
        step.fail(f"a mask of the shape {step.shapes[1]} for {step.shapes[0]}, size {sizes}")
    _unpool(step, [batch, channels, *sizes])


def _unpool(step: Step, result: list[object]) -> None:
    """The mask counts within a plane, so planes are the rows that are scattered into."""
    batch, channels = result[:2]
    small, large = count(step.shapes[0][2:]), count(result[2:])
    rows = [batch, channels, small]
    data = step.reshape(step.inputs[0], step.shapes[0], rows, None)
    mask = step.reshape(step.inputs[1], step.shapes[1], rows, None)
    index = step.node("Cast", [mask], to=7)
    like = step.node("Shape", [data])
    head = step.node("Slice", [like, step.ints([0], "from"), step.ints([2], "to")])
    full = step.node("Concat", [head, step.ints([large], "plane")], axis=0)
    empty = step.node("Expand", [step.number(0, "zero"), full])
    made = step.node("ScatterElements", [empty, index, data], axis=2)
    step.reshape(made, [batch, channels, large], result)
