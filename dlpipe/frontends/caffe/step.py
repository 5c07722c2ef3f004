"""One layer on its way into the graph: what its handler reads, and how it writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from dlpipe_worker import Refused

from ..kit import emit
from ..kit.handling import Table
from ..kit.ports import BATCH
from ..kit.writing import Writing
from . import schema
from .net import Layer

Shape = list[Any]  # ints; the first dim may be BATCH
MAX_MADE = 1 << 27  # numbers in a constant that is computed and not read from the file

Handler = Callable[["Step"], None]
layer: Table[Handler] = Table()
HANDLERS, LIMITS = layer.handlers, layer.limits


class FixedBatch(Exception):
    """The net counts on the first dim being what its inputs declare."""


class Step(Writing[emit.Graph]):
    """`inputs`: values of the bottoms; `shapes`: theirs; `tops`: the values to be written; `results`: their shapes."""

    def __init__(
        self, graph: emit.Graph, layer: Layer, inputs: list[str], shapes: list[Shape], tops: list[str], blobs: list[Any]
    ) -> None:
        super().__init__(graph, layer.name)
        self.layer = layer
        self.inputs = inputs
        self.shapes = shapes
        self.tops = tops
        self.blobs = blobs
        self.results: list[Shape | None] = [None] * len(tops)

    def fail(self, reason: str, kind: str = "bad-model", hint: str | None = None) -> NoReturn:
        where = f"layer {self.layer.name} ({self.layer.type})"
        raise Refused(f"{where}: {reason}", kind=kind, node=self.layer.name, op=self.layer.type, hint=hint)

    def params(self, table: str) -> schema.Params:
        return schema.read(self.layer.message.message(table), table, self.layer.name, self.layer.type)

    def expect(self, bottoms: int | tuple[int, int] | None = 1, tops: int | tuple[int, int] | None = 1) -> None:
        """Raises Refused unless the layer has so many (or from, to) bottoms and tops."""
        for found, wanted, what in ((len(self.inputs), bottoms, "bottoms"), (len(self.tops), tops, "tops")):
            low, high = wanted if isinstance(wanted, tuple) else (wanted, wanted)
            if low is not None and high is not None and not low <= found <= high:
                self.fail(f"it has {found} {what}")

    def axis(self, value: int, rank: int, end: bool = False) -> int:
        """The axis counted from the front. end: one past the last is allowed."""
        found = value + rank if value < 0 else value
        if not 0 <= found < rank + end:
            self.fail(f"axis {value} of a blob with {rank} axes")
        return found

    def rank(self, *wanted: int) -> int:
        found = len(self.shapes[0])
        if wanted and found not in wanted:
            self.fail(f"its bottom has {found} axes", "unsupported")
        return found

    def blob(self, index: int, shape: Sequence[int]) -> Any:
        """Weights, float32. Raises Refused where they are missing or have another shape."""
        if index >= len(self.blobs):
            self.fail(
                f"the caffemodel has {len(self.blobs)} of its blobs, number {index + 1} is missing",
                hint="do the prototxt and the caffemodel belong together?",
            )
        found = self.blobs[index]
        if [dim for dim in found.shape if dim != 1] != [dim for dim in shape if dim != 1]:
            self.fail(
                f"its blob {index + 1} has the shape {list(found.shape)}; the prototxt asks for {list(shape)}",
                hint="do the prototxt and the caffemodel belong together?",
            )
        return found.reshape(shape)

    def node(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """An intermediate value."""
        return self.graph.node(op, inputs, name=self.layer.name, **attributes)

    def nodes(self, op: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """Several intermediate values of one node."""
        made = [self.graph.fresh(self.layer.name) for _ in range(count)]
        self.graph.node(op, inputs, made, name=self.layer.name, **attributes)
        return made

    def out(self, op: str, inputs: Sequence[str], shape: Shape, top: int = 0, **attributes: Any) -> None:
        """The node that writes a top."""
        self.graph.node(op, inputs, self.tops[top], name=self.layer.name, **attributes)
        self.done(shape, top)

    def done(self, shape: Shape, top: int = 0) -> None:
        for dim in shape:
            if dim != BATCH and not 0 < dim <= schema.MAX_INT:
                self.fail(f"its top would have the shape {list(shape)}: the bottom is too small")
        self.results[top] = list(shape)

    def reshape(self, value: str, old: Shape, new: Shape, top: int | None = 0) -> str:
        """Same numbers, another shape. top: which top it is, None for an intermediate. Raises FixedBatch."""
        asked = list(new)
        if BATCH in new:
            if old[:1] != [BATCH]:
                raise FixedBatch
            asked = [0 if dim == BATCH else dim for dim in new]  # 0: as it was
            if count(old[1:]) != count(new[1:]):
                self.fail(f"{old} cannot be reshaped to {new}")
        elif count(old) != count(new):
            self.fail(f"{old} cannot be reshaped to {new}")
        inputs = [value, self.ints(asked, "shape")]
        if top is None:
            return self.node("Reshape", inputs)
        self.out("Reshape", inputs, new, top)
        return self.tops[top]


def count(shape: Sequence[Any]) -> int:
    """Numbers in the shape. Raises FixedBatch where that depends on the batch."""
    if BATCH in shape:
        raise FixedBatch
    return math.prod(shape)


def number(dim: Any) -> int:
    """The dim as a number. Raises FixedBatch."""
    if dim == BATCH:
        raise FixedBatch
    return int(dim)
