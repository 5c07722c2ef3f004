"""SSD's layers (Liu et al. 2016): boxes laid out before, and detections read off after.

Detections are rows [image, label, score, xmin, ymin, xmax, ymax]. Caffe gives as many as it finds; here there are
always as many rows as there can be, and rows of -1 follow the last detection: every backend takes a fixed shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import schema
from ..priors import prior_boxes
from ..step import Step, count, layer, number

MAX_ROWS = 1 << 20


@layer("PriorBox")
def prior_box(step: Step) -> None:
    step.expect(2)
    params = step.params("prior_box_param")
    if len(step.shapes[0]) != 4 or len(step.shapes[1]) != 4:
        step.fail(f"its bottoms have the shapes {step.shapes[0]} and {step.shapes[1]}")
    try:
        boxes = prior_boxes(params, step.shapes[0][2:], step.shapes[1][2:])
    except ValueError as error:
        step.fail(str(error))
    step.out("Identity", [step.constant(boxes, "boxes")], list(boxes.shape))


@layer("DetectionOutput", limits="a batch of one image; nms eta 1")
def detection_output(step: Step) -> None:
    step.expect(3)
    params = step.params("detection_output_param")
    nms = schema.read(params.nms_param, "nms_param", step.layer.name, step.layer.type)
    location, confidence, prior = step.shapes
    if number(location[0]) != 1 or len(prior) != 3 or prior[2] % 4:
        step.fail(f"it takes one image; its bottoms have the shapes {location}, {confidence}, {prior}", "unsupported")
    if nms.eta != 1:
        step.fail("suppression with a threshold that adapts (eta)", "unsupported")
    priors, classes = prior[2] // 4, params.num_classes
    sets = 1 if params.share_location else classes
    if classes < 1 or count(location) != priors * sets * 4 or count(confidence) != priors * classes:
        step.fail(f"{location}, {confidence} do not fit {priors} boxes of {classes} classes")
    labels = [each for each in range(classes) if each != params.background_label_id]
    if not labels:
        step.fail("it has no class besides the background")
    boxes = _decoded(step, params, priors, sets, labels)
    scores = step.reshape(step.inputs[1], confidence, [priors, classes], None)
    scores = step.node("Gather", [step.node("Transpose", [scores], perm=[1, 0]), step.ints(labels, "labels")], axis=0)
    candidates = priors
    if -1 < nms.top_k < priors:  # only the best of a class are looked at
        candidates = nms.top_k
        scores, best = step.nodes("TopK", [scores, step.ints([candidates], "top_k")], 2, axis=1)
        index = step.node("Unsqueeze", [best, step.ints([2], "axis2")])
        boxes = step.node("GatherND", [boxes, index], batch_dims=1)
    _pick(step, params, nms, boxes, scores, labels, candidates)


def _decoded(step: Step, params: Any, priors: int, sets: int, labels: list[int]) -> str:
    """[classes without the background, priors, 4]: xmin, ymin, xmax, ymax."""
    offsets = step.reshape(step.inputs[0], step.shapes[0], [priors, sets, 4], None)
    both = step.reshape(step.inputs[2], step.shapes[2], [2, priors, 1, 4], None)
    prior, variance = step.nodes("Split", [both, step.ints([1, 1], "halves")], 2, axis=0)
    axes = step.ints([0], "axis0")
    prior, variance = (step.node("Squeeze", [each, axes]) for each in (prior, variance))
    if not params.variance_encoded_in_target:
        offsets = step.node("Mul", [offsets, variance])
    halves = step.ints([2, 2], "corners")
    first, second = step.nodes("Split", [offsets, halves], 2, axis=2)
    low, high = step.nodes("Split", [prior, halves], 2, axis=2)
    if params.code_type == "CORNER":
        boxes = step.node("Add", [prior, offsets])
    else:
        size = step.node("Sub", [high, low])
        if params.code_type == "CORNER_SIZE":
            begin = step.node("Add", [low, step.node("Mul", [first, size])])
            end = step.node("Add", [high, step.node("Mul", [second, size])])
        else:
            half = step.number(0.5, "half")
            middle = step.node("Mul", [step.node("Add", [low, high]), half])
            centre = step.node("Add", [step.node("Mul", [first, size]), middle])
            reach = step.node("Mul", [step.node("Mul", [step.node("Exp", [second]), size]), half])
            begin, end = step.node("Sub", [centre, reach]), step.node("Add", [centre, reach])
        boxes = step.node("Concat", [begin, end], axis=2)
    boxes = step.node("Transpose", [boxes], perm=[1, 0, 2])
    if sets == 1:
        return step.node("Expand", [boxes, step.ints([len(labels), priors, 4], "each_class")])
    return step.node("Gather", [boxes, step.ints(labels, "classes")], axis=0)


def _pick(step: Step, params: Any, nms: Any, boxes: str, scores: str, labels: list[int], candidates: int) -> None:
    """Suppression within each class (a class is a batch of ONNX's operator, so that each has boxes of its own)."""
    inputs = [
        boxes,
        step.node("Unsqueeze", [scores, step.ints([1], "axis1")]),
        step.ints([candidates], "most"),
        step.constant(np.array([nms.nms_threshold], np.float32), "overlap"),
    ]
    if params.confidence_threshold is not None:
        inputs.append(step.constant(np.array([params.confidence_threshold], np.float32), "confidence"))
    picked = step.node("NonMaxSuppression", inputs)
    place = step.node("Gather", [picked, step.ints([0, 2], "class_and_box")], axis=1)
    score = step.node("GatherND", [scores, place])
    box = step.node("GatherND", [boxes, place])
    label = step.node("Gather", [picked, step.number(0, "column", np.int64)], axis=1)  # a class is a batch here
    label = step.node("Gather", [step.ints(labels, "names"), label])
    rows = len(labels) * candidates
    if -1 < params.keep_top_k < rows:  # the best of all classes together
        rows = params.keep_top_k
    if rows > MAX_ROWS:
        step.fail(f"it may find {rows:,} boxes")
    found = step.node("Shape", [score])
    kept = step.node("Min", [found, step.ints([rows], "rows")])
    best, order = step.nodes("TopK", [score, kept], 2, axis=0)
    label = step.node("Gather", [label, order])
    box = step.node("Gather", [box, order], axis=0)
    # Caffe lists them by class, within a class by score: both in one number to sort by.
    rank = step.node(
        "Range", [step.number(0, "from", np.int64), step.node("Squeeze", [kept]), step.number(1, "by", np.int64)]
    )
    key = step.node("Add", [step.node("Mul", [label, step.ints([rows], "stride")]), rank])
    _, order = step.nodes("TopK", [key, kept], 2, axis=0, largest=0)
    columns = [
        step.node("Mul", [best, step.number(0, "image")]),
        step.node("Cast", [label], to=1),
        best,
    ]
    column = step.ints([1], "column_axis")
    table = step.node("Concat", [*(step.node("Unsqueeze", [each, column]) for each in columns), box], axis=1)
    table = step.node("Gather", [table, order], axis=0)
    padded = step.node("Concat", [table, step.constant(np.full([rows, 7], -1, np.float32), "none")], axis=0)
    cut = step.node("Slice", [padded, step.ints([0], "begin"), step.ints([rows], "stop"), step.ints([0], "row_axis")])
    step.out("Reshape", [cut, step.ints([1, 1, rows, 7], "result")], [1, 1, rows, 7])
