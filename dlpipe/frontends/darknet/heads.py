"""The ends of detectors: maps of numbers decoded to one row per box.

A row is [x, y, width, height, objectness, score of each class]: the middle and size as parts of the image, scores
already multiplied with the objectness: as Darknet's own detector reads them, and as OpenCV gives them, but with no
threshold yet. Rows come cell by cell, within a cell anchor by anchor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .step import Step, layer

MAX_BOXES = 1 << 22  # YOLO 4 at 608 x 608 has 22,743


@layer("yolo")
def yolo(step: Step) -> None:
    """YOLO 3 and 4: anchors in pixels of the network's input, classes independent of each other."""
    section = step.section
    anchors = section.numbers("anchors", whole=False)
    mask = [int(each) for each in section.numbers("mask")] or list(range(section.integer("num", 1)))
    if any(not 0 <= 2 * each + 1 < len(anchors) for each in mask):
        step.fail(f"mask {mask} and {len(anchors)} numbers in `anchors`")
    section.text("num")
    height, width = step.net_size
    sizes = np.array([[anchors[2 * each] / width, anchors[2 * each + 1] / height] for each in mask], np.float32)
    squared = bool(section.integer("new_coords"))
    _decode(step, sizes, section.integer("classes", 20), section.real("scale_x_y", 1.0), squared, softmax=False)


@layer("region", limits="no tree of labels, four coordinates")
def region(step: Step) -> None:
    """YOLO 2: anchors in cells, classes by softmax."""
    section = step.section
    step.refuse_options(tree="", map="", coords="4", background="0", classfix="0", log="0", sqrt="0")
    anchors, count = section.numbers("anchors", whole=False), section.integer("num", 1)
    if count < 1 or len(anchors) != 2 * count:
        step.fail(f"{count} boxes and {len(anchors)} numbers in `anchors`")
    _, height, width = step.image()
    sizes = np.array(anchors, np.float32).reshape(count, 2) / np.array([width, height], np.float32)
    _decode(step, sizes, section.integer("classes", 20), 1.0, False, softmax=bool(section.integer("softmax")))


def _decode(step: Step, sizes: Any, classes: int, stretch: float, squared: bool, softmax: bool) -> None:
    channels, height, width = step.image()
    count, each = len(sizes), 5 + classes
    if classes < 1 or channels != count * each:
        step.fail(f"{channels} channels for {count} boxes of {classes} classes")
    if height * width * count > MAX_BOXES:
        step.fail(f"{height} x {width} cells with {count} boxes each")
    value = step.reshape(step.value, [count, each, height, width])
    value = step.node("Transpose", [value], perm=[0, 3, 4, 1, 2])  # batch, row, column, anchor, number
    parts = [step.graph.fresh(f"{step.section.name}.{part}") for part in ("xy", "wh", "object", "class")]
    step.graph.node("Split", [value, step.ints([2, 2, 1, classes], "parts")], parts, name=step.section.name, axis=4)
    middle, size, present, kind = parts
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    grid = np.stack([columns, rows], -1)[None, :, :, None]
    cells = np.array([width, height], np.float32)
    if not squared:  # with new coordinates the convolution before has done that
        middle = step.node("Sigmoid", [middle])
        present = step.node("Sigmoid", [present])
    if stretch != 1:
        middle = step.node("Mul", [middle, step.number(stretch, "stretch")])
    shift = grid - (stretch - 1) / 2
    middle = step.node("Add", [middle, step.constant(shift.astype(np.float32), "grid")])
    middle = step.node("Div", [middle, step.constant(cells, "cells")])
    anchors = step.constant(sizes.reshape(1, 1, 1, count, 2) * np.float32(4 if squared else 1), "anchors")
    size = step.node("Mul", [size, size]) if squared else step.node("Exp", [size])
    size = step.node("Mul", [size, anchors])
    if softmax:
        kind = step.node("Softmax", [kind], axis=4)
    elif not squared:
        kind = step.node("Sigmoid", [kind])
    score = step.node("Mul", [kind, present])
    table = step.node("Concat", [middle, size, present, score], axis=4)
    step.head = {
        "row": ["x", "y", "width", "height", "objectness", "score of each class"],
        "unit": "x, y: the middle; all as parts of the network's input",
        "scores": "objectness times class, with no threshold yet",
        "order": "cell by cell, within a cell anchor by anchor",
        "next": "threshold the scores, then suppress overlapping boxes within each class",
    }
    step.done(step.reshape(table, [height * width * count, each]), [height * width * count, each])


@layer("detection")
def detection(step: Step) -> None:
    """YOLO 1: numbers as the layer before gives them; per class of numbers, all cells behind each other."""
    section = step.section
    side, boxes, classes = section.integer("side", 7), section.integer("num", 1), section.integer("classes", 1)
    step.refuse_options(coords="4", softmax="0")
    if len(step.shape) != 1 or step.shape[0] != side * side * (classes + boxes * 5):
        step.fail(f"{step.shape} for {side} x {side} cells with {boxes} boxes and {classes} classes")
    step.head = {
        "layout": f"{side * side} x {classes} class scores; then {side * side} x {boxes} objectnesses; then "
        f"{side * side} x {boxes} x (x, y, width, height)",
        "unit": f"x, y: within a cell of 1/{side} of the image; width, height: parts of the image"
        + (", as square roots" if section.integer("sqrt") else ""),
    }
    step.done(step.value, step.shape)
