"""The operators of Detectron's heads: regions pooled, boxes moved and clipped, the best of them kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from .boxes import Boxes
from .converter import Converter
from .nets import Operator
from .table import converts


@converts("RoIAlign", note="rotated regions are not converted")
def _align(converter: Converter, op: Operator) -> None:
    align(converter, op, converter.value(op, 0))


def align(converter: Converter, op: Operator, x: str) -> None:
    """Regions [R, 4], or [R, 5] with the image's number in front. Writes the output."""
    last = converter.channels_last(op)
    if last:
        x = converter.to_first(op, x)
    boxes = Boxes(converter, op)
    regions, images = boxes.apart(converter.value(op, 1))
    attributes: dict[str, Any] = {
        "output_height": op.args.integer("pooled_h", 1),
        "output_width": op.args.integer("pooled_w", 1),
        "sampling_ratio": max(op.args.integer("sampling_ratio", -1), 0),
        "spatial_scale": op.args.number("spatial_scale", 1.0),
        "mode": "avg",
        "coordinate_transformation_mode": "half_pixel" if op.args.integer("aligned") else "output_half_pixel",
    }
    if last:
        made = converter.emit(op, "RoiAlign", [x, regions, images], **attributes)
        converter.finish(op, "Transpose", [made], perm=converter.last_perm(made))
    else:
        converter.finish(op, "RoiAlign", [x, regions, images], **attributes)


@converts("RoIPool", note="the output with the places is not made")
def _pool(converter: Converter, op: Operator) -> None:
    if converter.channels_last(op):
        raise converter.unsupported(op, "the channels last")
    size = [op.args.integer("pooled_h", 1), op.args.integer("pooled_w", 1)]
    inputs = [converter.value(op, 0), converter.value(op, 1)]
    converter.finish(op, "MaxRoiPool", inputs, pooled_shape=size, spatial_scale=op.args.number("spatial_scale", 1.0))


def _no_angles(converter: Converter, op: Operator) -> None:
    if op.args.integer("rotated"):
        raise converter.unsupported(op, "rotated boxes")
    op.args.ignore("angle_bound_on", "angle_bound_lo", "angle_bound_hi", "clip_angle_thresh")


@converts("BBoxTransform", note="rotated boxes are not converted")
def _transform(converter: Converter, op: Operator) -> None:
    _no_angles(converter, op)
    boxes = Boxes(converter, op)
    regions, images = boxes.apart(converter.value(op, 0))
    info = converter.emit(op, "Gather", [converter.value(op, 2), images], axis=0)  # [M, 3]
    scale = boxes.columns(info, 2, 3)
    edges = converter.emit(op, "Div", [boxes.columns(info, 0, 2), scale])
    height, width = (boxes.columns(converter.emit(op, "Round", [edges]), each, each + 1) for each in (0, 1))
    weights = list(op.args.numbers("weights")) or [1.0] * 4
    offset = 1.0 if op.args.integer("correct_transform_coords") else 0.0
    deltas = boxes.each_four(converter.value(op, 1))  # four of [M, K]
    corners = boxes.moved(converter.emit(op, "Div", [regions, scale]), deltas, weights, offset)
    clipped = boxes.clipped(corners, height, width)
    if op.args.integer("apply_scale", 1):
        clipped = [converter.emit(op, "Mul", [each, scale]) for each in clipped]
    stacked = [converter.emit(op, "Unsqueeze", [each, converter.constant(op, [2], np.int64)]) for each in clipped]
    joined = converter.emit(op, "Concat", stacked, axis=2)  # [M, K, 4]
    converter.finish(op, "Reshape", [joined, converter.emit(op, "Shape", [converter.value(op, 1)])])
    if len(op.outputs) > 1:
        _count_per_image(converter, op, images)


def _count_per_image(converter: Converter, op: Operator, images: str) -> None:
    """How many regions each image has, as floats."""
    count = converter.emit(op, "Shape", [converter.value(op, 2)], end=1)
    count = converter.emit(op, "Squeeze", [count, converter.constant(op, [0], np.int64)])
    hot = converter.emit(op, "OneHot", [images, count, converter.constant(op, [0, 1], np.float32)], axis=-1)
    converter.finish(op, "ReduceSum", [hot, converter.constant(op, [0], np.int64)], 1, keepdims=0)


@converts("GenerateProposals", "GenerateProposalsCPP", note="one image at a time; rotated boxes are not converted")
def _propose(converter: Converter, op: Operator) -> None:
    _no_angles(converter, op)
    boxes = Boxes(converter, op)
    scores, deltas, info, anchors = (converter.value(op, index) for index in range(4))
    shape = converter.shape(scores)
    if not shape or shape[0] != 1:
        converter.check_batch(scores, 1)
        raise converter.unsupported(op, "proposals for more than one image at a time")
    flat = converter.emit(op, "Transpose", [scores], perm=[0, 2, 3, 1])
    flat = converter.emit(op, "Reshape", [flat, converter.constant(op, [-1], np.int64)])  # [H * W * A]
    moves = converter.emit(op, "Transpose", [deltas], perm=[0, 2, 3, 1])
    moves = converter.emit(op, "Reshape", [moves, converter.constant(op, [-1, 4], np.int64)])
    every = boxes.shifted(anchors, scores, 1.0 / op.args.number("spatial_scale", 1.0 / 16))
    best, places = boxes.top(flat, op.args.integer("pre_nms_topN", 6000))
    regions = converter.emit(op, "Gather", [every, places], axis=0)
    moves = converter.emit(op, "Gather", [moves, places], axis=0)
    offset = 1.0 if op.args.integer("correct_transform_coords") else 0.0
    height, width, scale = (boxes.columns(info, each, each + 1) for each in range(3))  # [1, 1]
    corners = boxes.moved(regions, boxes.each_four(moves), [1.0] * 4, offset)
    corners = boxes.clipped(corners, height, width)
    least = converter.emit(op, "Mul", [converter.constant(op, op.args.number("min_size", 16.0), np.float32), scale])
    fits = boxes.large_enough(corners, least, height, width)
    moved = converter.emit(op, "Concat", corners, axis=1)
    moved = converter.emit(op, "Compress", [moved, fits], axis=0)
    best = converter.emit(op, "Compress", [best, fits], axis=0)
    kept = boxes.kept(moved, best, op.args.number("nms_thresh", 0.7), op.args.integer("post_nms_topN", 300))
    chosen = converter.emit(op, "Gather", [moved, kept], axis=0)
    image = converter.emit(op, "Mul", [boxes.columns(chosen, 0, 1), converter.constant(op, 0, np.float32)])
    converter.finish(op, "Concat", [image, chosen], axis=1)
    if len(op.outputs) > 1:
        converter.finish(op, "Gather", [best, kept], 1, axis=0)


@converts("BoxWithNMSLimit", note="one image at a time; soft suppression and rotated boxes are not converted")
def _limit(converter: Converter, op: Operator) -> None:
    _no_angles(converter, op)
    if op.args.integer("soft_nms_enabled"):
        raise converter.unsupported(op, "soft suppression of boxes")
    op.args.ignore("soft_nms_method", "soft_nms_sigma", "soft_nms_min_score_thres")
    boxes = Boxes(converter, op)
    scores, corners = converter.value(op, 0), converter.value(op, 1)
    threshold, overlap = op.args.number("score_thresh", 0.05), op.args.number("nms", 0.3)
    found = boxes.per_class(scores, corners, threshold, overlap, op.args.integer("detections_per_im", 100))
    converter.finish(op, "Identity", [found.scores])
    converter.finish(op, "Identity", [found.boxes], 1)
    converter.finish(op, "Cast", [found.classes], 2, to=1)
    if len(op.outputs) > 3:
        count = converter.emit(op, "Shape", [found.classes])
        converter.finish(op, "Cast", [count], 3, to=1)
    if len(op.outputs) > 4:
        converter.finish(op, "Cast", [found.places], 4, to=6)
    if len(op.outputs) > 5:
        number = converter.emit(op, "Shape", [scores], start=1)
        number = converter.emit(op, "Squeeze", [number, converter.constant(op, [0], np.int64)])
        values = converter.constant(op, [0, 1], np.float32)
        hot = converter.emit(op, "OneHot", [found.classes, number, values], axis=-1)
        counts = converter.emit(op, "ReduceSum", [hot, converter.constant(op, [0], np.int64)], keepdims=1)
        converter.finish(op, "Cast", [counts], 5, to=6)


@converts("CollectAndDistributeFpnRpnProposals")
def _distribute(converter: Converter, op: Operator) -> None:
    """Gather the proposals of all levels, keep the best, and deal them out to levels by their size."""
    boxes = Boxes(converter, op)
    levels = op.args.integer("rpn_max_level", 6) - op.args.integer("rpn_min_level", 2) + 1
    low, high = op.args.integer("roi_min_level", 2), op.args.integer("roi_max_level", 5)
    if len(op.inputs) != 2 * levels or len(op.outputs) != high - low + 3:
        raise converter.bad(op, f"{len(op.inputs)} inputs and {len(op.outputs)} outputs do not fit its levels")
    every = converter.emit(op, "Concat", [converter.value(op, index) for index in range(levels)], axis=0)
    scores = converter.emit(op, "Concat", [converter.value(op, levels + index) for index in range(levels)], axis=0)
    _, places = boxes.top(scores, op.args.integer("rpn_post_nms_topN", 2000))
    converter.finish(op, "Gather", [every, places], axis=0)
    chosen = converter.values[op.outputs[0]]
    size, usual = op.args.integer("roi_canonical_scale", 224), op.args.integer("roi_canonical_level", 4)
    level = boxes.levels(chosen, size, usual, low, high)
    order = []
    for index in range(low, high + 1):
        here = converter.emit(op, "Equal", [level, converter.constant(op, index, np.float32)])
        converter.finish(op, "Compress", [chosen, here], index - low + 1, axis=0)
        nonzero = converter.emit(op, "NonZero", [here])
        order.append(converter.emit(op, "Squeeze", [nonzero, converter.constant(op, [0], np.int64)]))
    dealt = converter.emit(op, "Concat", order, axis=0)
    count = converter.emit(op, "Shape", [dealt])
    label = converter.label(op)
    values = [converter.graph.fresh(f"{label}/{each}") for each in ("sorted", "restore")]
    converter.graph.node("TopK", [dealt, count], values, label, largest=0)
    converter.finish(op, "Cast", [values[1]], len(op.outputs) - 1, to=6)
