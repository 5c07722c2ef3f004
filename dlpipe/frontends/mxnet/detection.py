"""SSD and YOLO heads: prior boxes, decoding, suppression of overlapping boxes.

Written from the documented behaviour and held against the MXNet runtime: rows are sorted by score, what overlaps a
better box keeps its row with class -1 (MultiBoxDetection) or is taken out (box_nms), and missing rows are all -1.
"""

from __future__ import annotations

import math

import numpy as np
from dlpipe_worker import Refused

from .handlers import Layer, handles
from .net import Net
from .suppressing import corners, kept_boxes, ranked

MAX_BOXES = 1 << 22


@handles("_contrib_MultiBoxPrior", "MultiBoxPrior")
def prior_boxes(net: Net, layer: Layer) -> str:
    """(1, H * W * (sizes + ratios - 1), 4): constants, once height and width are known."""
    a, data = layer.attributes, layer.inputs[0]
    height, width = net.size(data, 2), net.size(data, 3)
    sizes, ratios = a.reals("sizes", (1.0,)), a.reals("ratios", (1.0,))
    steps, offsets = a.reals("steps", (-1.0, -1.0)), a.reals("offsets", (0.5, 0.5))
    if not sizes or not ratios or min(ratios) <= 0 or len(steps) != 2 or len(offsets) != 2:
        raise Refused("sizes, ratios, steps or offsets of the boxes are missing")
    if height * width * (len(sizes) + len(ratios)) > MAX_BOXES:
        raise Refused("too many boxes")
    down, across = (step if step > 0 else 1 / size for step, size in zip(steps, (height, width), strict=True))
    y = (np.arange(height) + offsets[0]) * down
    x = (np.arange(width) + offsets[1]) * across
    shapes = [(size, ratios[0]) for size in sizes] + [(sizes[0], ratio) for ratio in ratios[1:]]
    halves = np.array([(s * height / width * math.sqrt(r) / 2, s / math.sqrt(r) / 2) for s, r in shapes])
    centres = np.stack(np.broadcast_arrays(x[None, :, None], y[:, None, None]), -1)
    boxes = np.concatenate([centres - halves, centres + halves], -1).reshape(1, -1, 4)
    if a.flag("clip"):
        boxes = boxes.clip(0, 1)
    return net.constant(boxes.astype(net.dtype(data)), layer.name)


@handles("_contrib_MultiBoxDetection", "MultiBoxDetection")
def multibox_detection(net: Net, layer: Layer) -> str:
    a = layer.attributes
    probability, location, anchors = layer.inputs  # (N, classes + 1, boxes), (N, boxes * 4), (1, boxes, 4)
    threshold, overlap = a.real("threshold", 0.01), a.real("nms_threshold", 0.5)
    background, limit = a.whole("background_id", 0), a.whole("nms_topk", -1)
    force, variances = a.flag("force_suppress"), a.reals("variances", (0.1, 0.1, 0.2, 0.2))
    if background != 0 or len(variances) != 4:
        raise Refused("a background class other than 0 is not supported", kind="unsupported")
    classes, count = net.size(probability, 1), net.size(probability, 2)
    objects = net.slice(probability, 1, 1, classes)
    score = net.add("ReduceMax", objects, net.ints(1), keepdims=0)  # (N, boxes)
    label = net.cast(net.add("ArgMax", objects, axis=1, keepdims=0), np.float32)
    boxes = _decode(net, net.reshape(location, [[0], count, 4]), anchors, variances, a.flag("clip", True))
    valid = net.add("GreaterOrEqual", score, net.like(threshold, score))
    rows = net.add("Concat", net.unsqueeze(label, 2), net.unsqueeze(score, 2), boxes, axis=2)
    rows = net.add("Where", net.unsqueeze(valid, 2), rows, net.like(-1.0, rows))
    places = net.constant(np.arange(count, 0, -1, dtype=np.float32))
    in_place = ranked(net, rows, net.add("Mul", net.cast(valid, np.float32), places))
    if not 0 < overlap <= 1:
        return in_place
    rows = ranked(net, rows, net.add("Where", valid, score, net.like(-1.0, score)))
    limited = 0 < limit < count  # the rest is not sorted, and counts as suppressed
    best = net.slice(rows, 1, 0, limit) if limited else rows
    kept = kept_boxes(net, best, None if force else 0, 2, overlap)
    label = net.slice(best, 2, 0, 1)
    label = net.add("Where", net.unsqueeze(kept, 2), label, net.like(-1.0, label))
    best = net.add("Concat", label, net.slice(best, 2, 1, 6), axis=2)
    if not limited:
        return best
    rest = net.slice(in_place, 1, limit, count)
    gone = net.add("Sub", net.add("Mul", net.slice(rest, 2, 0, 1), net.like(0.0, rest)), net.like(1.0, rest))
    return net.add("Concat", best, net.add("Concat", gone, net.slice(rest, 2, 1, 6), axis=2), axis=1)


def _decode(net: Net, offsets: str, anchors: str, variances: tuple[float, ...], clip: bool) -> str:
    """Offsets against the anchors (corners) -> corners."""
    dtype = net.dtype(offsets)
    low, high = net.slice(anchors, 2, 0, 2), net.slice(anchors, 2, 2, 4)
    size = net.add("Sub", high, low)
    centre = net.add("Mul", net.add("Add", low, high), net.like(0.5, low))
    scaled = net.add("Mul", offsets, net.constant(np.asarray(variances, dtype)))
    moved = net.add("Add", net.add("Mul", net.slice(scaled, 2, 0, 2), size), centre)
    half = net.add("Mul", net.add("Mul", net.add("Exp", net.slice(scaled, 2, 2, 4)), size), net.like(0.5, size))
    boxes = net.add("Concat", net.add("Sub", moved, half), net.add("Add", moved, half), axis=2)
    return net.add("Clip", boxes, net.like(0.0, boxes), net.like(1.0, boxes)) if clip else boxes


@handles(
    "_contrib_box_nms", "_contrib_box_non_maximum_suppression", note="boxes of three dims; topk below their number"
)
def box_nms(net: Net, layer: Layer) -> str:
    a, data = layer.attributes, layer.inputs[0]
    overlap, valid_above, limit = a.real("overlap_thresh", 0.5), a.real("valid_thresh", 0.0), a.whole("topk", -1)
    first, score_at, label_at = a.whole("coord_start", 2), a.whole("score_index", 1), a.whole("id_index", -1)
    background, force = a.whole("background_id", -1), a.flag("force_suppress")
    given = a.choice("in_format", "corner", "center", default="corner")
    wanted = a.choice("out_format", "corner", "center", default="corner")
    if net.rank(data) != 3:
        raise Refused("boxes of other than three dims are not supported", kind="unsupported")
    if given != wanted:
        raise Refused("another format of the boxes after than before is not supported", kind="unsupported")
    count, width = net.size(data, 1), net.size(data, 2)
    if first + 4 > width or score_at >= width or label_at >= width:
        raise Refused(f"columns beyond the {width} that there are")
    score = net.squeeze(net.slice(data, 2, score_at, score_at + 1), 2)
    valid = net.add("Greater", score, net.like(valid_above, score))
    if background >= 0 and label_at >= 0:
        label = net.squeeze(net.slice(data, 2, label_at, label_at + 1), 2)
        valid = net.add("And", valid, net.add("Not", net.add("Equal", label, net.like(background, label))))
    lowest = net.like(float(np.finfo(np.float32).min), score)
    key = net.add("Where", valid, score, lowest)
    rows = net.add("Where", net.unsqueeze(valid, 2), data, net.like(-1.0, data))
    rows = ranked(net, rows, key)
    if 0 < limit < count:
        head = net.slice(rows, 1, 0, limit)
        gone = net.add("Mul", net.slice(rows, 1, limit, count), net.like(0.0, rows))
        rows = net.add("Concat", head, net.add("Add", gone, net.like(-1.0, rows)), axis=1)
    still = net.squeeze(net.slice(ranked(net, net.unsqueeze(net.cast(valid, np.float32), 2), key), 2, 0, 1), 2)
    if 0 < limit < count:
        ones = net.constant(np.concatenate([np.ones(limit), np.zeros(count - limit)]).astype(np.float32))
        still = net.add("Mul", still, ones)
    each = None if force or label_at < 0 else label_at
    kept = kept_boxes(net, rows, each, first, overlap, still, centred=given == "center")
    rows = net.add("Where", net.unsqueeze(kept, 2), rows, net.like(-1.0, rows))
    # What is kept moves up.
    places = net.constant(np.arange(count, 0, -1, dtype=np.float32))
    return ranked(net, rows, net.add("Mul", net.cast(kept, np.float32), places))


@handles("_contrib_box_iou", note="two lists of boxes")
def box_iou(net: Net, layer: Layer) -> str:
    left, right = layer.inputs
    centred = layer.attributes.choice("format", "corner", "center", default="corner") == "center"
    if net.rank(left) != 2 or net.rank(right) != 2:
        raise Refused("boxes of other than two dims are not supported", kind="unsupported")
    one = net.unsqueeze(corners(net, left) if centred else left, 1)
    other = net.unsqueeze(corners(net, right) if centred else right, 0)
    low = net.add("Max", net.slice(one, 2, 0, 2), net.slice(other, 2, 0, 2))
    high = net.add("Min", net.slice(one, 2, 2, 4), net.slice(other, 2, 2, 4))
    common = _area(net, low, high)
    areas = [_area(net, net.slice(each, 2, 0, 2), net.slice(each, 2, 2, 4)) for each in (one, other)]
    union = net.add("Sub", net.add("Add", *areas), common)
    zero = net.like(0.0, union)
    return net.add("Where", net.add("Greater", union, zero), net.add("Div", common, union), zero)


def _area(net: Net, low: str, high: str) -> str:
    sides = net.add("Max", net.add("Sub", high, low), net.like(0.0, low))
    return net.add("ReduceProd", sides, net.ints(-1), keepdims=0)


@handles("_contrib_box_decode")
def box_decode(net: Net, layer: Layer) -> str:
    a = layer.attributes
    offsets, anchors = layer.inputs
    scale = np.asarray([a.real(f"std{part}", 1.0) for part in range(4)], net.dtype(offsets))
    clip = a.real("clip", -1.0)
    if a.choice("format", "corner", "center", default="center") == "corner":
        anchors = _centres(net, anchors)
    centre, size = net.slice(anchors, 2, 0, 2), net.slice(anchors, 2, 2, 4)
    scaled = net.add("Mul", offsets, net.constant(scale))
    moved = net.add("Add", net.add("Mul", net.slice(scaled, 2, 0, 2), size), centre)
    grown = net.slice(scaled, 2, 2, 4)
    if clip > 0:
        grown = net.add("Min", grown, net.like(clip, grown))
    half = net.add("Mul", net.add("Mul", net.add("Exp", grown), size), net.like(0.5, size))
    return net.add("Concat", net.add("Sub", moved, half), net.add("Add", moved, half), axis=2)


def _centres(net: Net, boxes: str) -> str:
    low, high = net.slice(boxes, 2, 0, 2), net.slice(boxes, 2, 2, 4)
    middle = net.add("Mul", net.add("Add", low, high), net.like(0.5, low))
    return net.add("Concat", middle, net.add("Sub", high, low), axis=2)
