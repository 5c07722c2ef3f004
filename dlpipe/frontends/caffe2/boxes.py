"""Arithmetic on boxes (x1, y1, x2, y2) in ONNX nodes. As in Detectron, a box with x1 = x2 is one pixel wide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .converter import Converter
from .nets import Operator

_LARGEST_GROWTH = math.log(1000.0 / 16.0)  # Detectron's BBOX_XFORM_CLIP
_FLOAT, _INT64 = 1, 7  # TensorProto.DataType


@dataclass
class Kept:
    """One image's detections, class by class and within a class by score. `places`: their row in the input."""

    scores: str
    boxes: str
    classes: str
    places: str


@dataclass
class Boxes:
    converter: Converter
    op: Operator

    def emit(self, onnx_op: str, *inputs: str | float, **attributes: object) -> str:
        """Numbers among the inputs become float constants."""
        values = [each if isinstance(each, str) else self.number(each) for each in inputs]
        return self.converter.emit(self.op, onnx_op, values, **attributes)

    def number(self, value: float) -> str:
        return self.converter.constant(self.op, value, np.float32)

    def ints(self, *values: int) -> str:
        return self.converter.constant(self.op, list(values), np.int64)

    def columns(self, value: str, start: int, end: int) -> str:
        """[M, end - start] of [M, ...]."""
        return self.emit("Slice", value, self.ints(start), self.ints(end), self.ints(1))

    def apart(self, regions: str) -> tuple[str, str]:
        """(corners [M, 4], numbers of their images [M]) of regions [M, 5], or of [M, 4] in image 0."""
        shape = self.converter.shape(regions)
        width = shape[1] if shape and len(shape) == 2 else None
        if width == 5:
            number = self.emit("Squeeze", self.columns(regions, 0, 1), self.ints(1))
            return self.columns(regions, 1, 5), self.emit("Cast", number, to=_INT64)
        if width != 4:
            raise self.converter.bad(self.op, f"regions of the shape {shape}, and they have 4 or 5 numbers each")
        number = self.emit("Mul", self.emit("Squeeze", self.columns(regions, 0, 1), self.ints(1)), 0.0)
        return regions, self.emit("Cast", number, to=_INT64)

    def each_four(self, deltas: str) -> list[str]:
        """[M, 4 * K] -> four of [M, K]: dx, dy, dw, dh."""
        apart = self.emit("Reshape", deltas, self.ints(0, -1, 4))
        return [
            self.emit("Gather", apart, self.converter.constant(self.op, each, np.int64), axis=2) for each in range(4)
        ]

    def moved(self, regions: str, deltas: list[str], weights: list[float], offset: float) -> list[str]:
        """Corners (four of [M, K]) of the regions [M, 4] moved and scaled by deltas."""
        if len(weights) != 4 or not all(weights):
            raise self.converter.bad(self.op, f"weights of {weights}")
        corners = [self.columns(regions, each, each + 1) for each in range(4)]
        low, high = [], []
        for axis in range(2):
            size = self.emit("Add", self.emit("Sub", corners[axis + 2], corners[axis]), 1.0)
            centre = self.emit("Add", corners[axis], self.emit("Mul", size, 0.5))
            shift, growth = (self.emit("Div", deltas[at], weights[at]) for at in (axis, axis + 2))
            centre = self.emit("Add", self.emit("Mul", shift, size), centre)
            grown = self.emit("Mul", self.emit("Exp", self.emit("Min", growth, _LARGEST_GROWTH)), size)
            half = self.emit("Mul", grown, 0.5)
            low.append(self.emit("Sub", centre, half))
            end = self.emit("Add", centre, half)
            high.append(self.emit("Sub", end, offset) if offset else end)
        return [*low, *high]

    def clipped(self, corners: list[str], height: str, width: str) -> list[str]:
        """To the pixels of the image."""
        most = [self.emit("Max", self.emit("Sub", edge, 1.0), 0.0) for edge in (width, height)]
        return [self.emit("Max", self.emit("Min", each, most[at % 2]), 0.0) for at, each in enumerate(corners)]

    def shifted(self, anchors: str, scores: str, stride: float) -> str:
        """[H * W * A, 4]: the anchors [A, 4] at every place of the score map [1, A, H, W]."""
        flat = []
        for axis in (3, 2):
            size = self.emit("Squeeze", self.emit("Shape", scores, start=axis, end=axis + 1), self.ints(0))
            zero, one = (self.converter.constant(self.op, each, np.int64) for each in (0, 1))
            steps = self.emit("Cast", self.emit("Range", zero, size, one), to=_FLOAT)
            flat.append(self.emit("Mul", steps, stride))
        across = self.emit("Reshape", flat[0], self.ints(1, -1, 1))
        down = self.emit("Reshape", flat[1], self.ints(-1, 1, 1))
        whole = self.emit("Mul", self.emit("Add", across, down), 0.0)
        shift = self.emit(
            "Concat", *[self.emit("Add", whole, each) for each in (across, down)] * 2, axis=2
        )  # [H, W, 4]
        rows = self.emit("Add", self.emit("Unsqueeze", shift, self.ints(2)), anchors)  # [H, W, A, 4]
        return self.emit("Reshape", rows, self.ints(-1, 4))

    def top(self, scores: str, most: int) -> tuple[str, str]:
        """(the largest scores, their places), at most so many (all where 0), the best first."""
        count = self.emit("Shape", scores)
        if most > 0:
            count = self.emit("Min", count, self.ints(most))
        label = self.converter.label(self.op)
        values = [self.converter.graph.fresh(f"{label}/{each}") for each in ("best", "places")]
        self.converter.graph.node("TopK", [scores, count], values, label, axis=0)
        return values[0], values[1]

    def large_enough(self, corners: list[str], least: str, height: str, width: str) -> str:
        """[M] bool: both sides have at least so many pixels, and the centre is in the image."""
        tests = []
        for axis, edge in ((0, width), (1, height)):
            size = self.emit("Add", self.emit("Sub", corners[axis + 2], corners[axis]), 1.0)
            centre = self.emit("Add", corners[axis], self.emit("Mul", size, 0.5))
            tests += [self.emit("GreaterOrEqual", size, self.emit("Max", least, 1.0)), self.emit("Less", centre, edge)]
        both = self.emit("And", self.emit("And", *tests[:2]), self.emit("And", *tests[2:]))
        return self.emit("Reshape", both, self.ints(-1))

    def kept(self, boxes: str, scores: str, overlap: float, most: int) -> str:
        """Places of the boxes [M, 4] that overlap none better by more than that, the best first."""
        found = self._suppress(
            self.emit("Unsqueeze", boxes, self.ints(0)), self.emit("Unsqueeze", scores, self.ints(0, 1)), overlap, None
        )
        if most > 0:
            found = self.emit("Slice", found, self.ints(0), self.ints(most), self.ints(0))
        return self.emit("Reshape", self.columns(found, 2, 3), self.ints(-1))

    def _suppress(self, boxes: str, scores: str, overlap: float, threshold: float | None) -> str:
        """NonMaxSuppression of [B, M, 4] and [B, 1, M]: rows of (b, 0, place). Its widths are x2 - x1, so one pixel is
        added here."""
        grown = self.emit("Add", boxes, self.converter.constant(self.op, [0, 0, 1, 1], np.float32))
        many = self.converter.constant(self.op, [np.iinfo(np.int64).max], np.int64)
        inputs = [grown, scores, many, self.converter.constant(self.op, [overlap], np.float32)]
        if threshold is not None:
            inputs.append(self.converter.constant(self.op, [threshold], np.float32))
        return self.emit("NonMaxSuppression", *inputs)

    def per_class(self, scores: str, corners: str, threshold: float, overlap: float, most: int) -> Kept:
        """scores [M, C], corners [M, 4 * C]; class 0 is the background."""
        turned = self.emit("Transpose", self.columns(scores, 1, np.iinfo(np.int64).max), perm=[1, 0])  # [C - 1, M]
        apart = self.emit("Transpose", self.emit("Reshape", corners, self.ints(0, -1, 4)), perm=[1, 0, 2])
        apart = self.emit("Slice", apart, self.ints(1), self.ints(np.iinfo(np.int64).max), self.ints(0))
        found = self._suppress(apart, self.emit("Unsqueeze", turned, self.ints(1)), overlap, threshold)
        where = self.emit("Concat", self.columns(found, 0, 1), self.columns(found, 2, 3), axis=1)
        best = self.emit("GatherND", turned, where)
        if most > 0:
            # all that are as good as the last one that still has room
            largest, _ = self.top(best, most)
            none = self.emit("Concat", largest, self.converter.constant(self.op, [np.inf], np.float32), axis=0)
            good = self.emit("GreaterOrEqual", best, self.emit("ReduceMin", none, self.ints(0), keepdims=1))
            where = self.emit("Compress", where, good, axis=0)
            best = self.emit("Compress", best, good, axis=0)
        column = [self.emit("Reshape", self.columns(where, each, each + 1), self.ints(-1)) for each in (0, 1)]
        classes = self.emit("Add", column[0], self.converter.constant(self.op, 1, np.int64))
        return Kept(best, self.emit("GatherND", apart, where), classes, column[1])

    def levels(self, regions: str, size: int, level: int, low: int, high: int) -> str:
        """[M] floats: the level of a feature pyramid that fits a region [M, 5] of that size."""
        sides = [
            self.emit(
                "Add", self.emit("Sub", self.columns(regions, at + 2, at + 3), self.columns(regions, at, at + 1)), 1.0
            )
            for at in (1, 2)
        ]
        ratio = self.emit("Div", self.emit("Sqrt", self.emit("Mul", *sides)), float(size))
        steps = self.emit("Div", self.emit("Log", self.emit("Add", ratio, 1e-6)), math.log(2.0))
        found = self.emit("Floor", self.emit("Add", steps, float(level)))
        held = self.emit("Min", self.emit("Max", found, float(low)), float(high))
        return self.emit("Reshape", held, self.ints(-1))
