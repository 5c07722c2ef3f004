"""One operator on its way into the graph: what its handler reads, and how it writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from ..kit.handling import Table
from ..kit.shaped import Dim, ShapedGraph
from ..kit.writing import Writing
from .reading import Op
from .schema import NC4HW4

Handler = Callable[["Step"], None]
operator: Table[Handler] = Table()
HANDLERS, LIMITS = operator.handlers, operator.limits


class Step(Writing[ShapedGraph]):
    """`values`: tensor's number -> its value; `formats`: -> its layout, as in the enum MNN_DATA_FORMAT; `tops`: the
    names that the operator's results get."""

    def __init__(
        self, graph: ShapedGraph, op: Op, values: dict[int, str], formats: dict[int, int], tops: list[str]
    ) -> None:
        super().__init__(graph, op.name)
        self.op, self.values, self.formats, self.tops = op, values, formats, tops
        graph.where = (op.name, op.type)
        for each in op.inputs:
            if each not in values:
                op.fail("it reads a tensor that nothing before it makes")
        self.inputs = [values[each] for each in op.inputs]
        self.format = formats.get(op.inputs[0], NC4HW4) if op.inputs else NC4HW4

    def fail(self, reason: str, kind: str = "bad-model") -> NoReturn:
        self.op.fail(reason, kind)

    def unsupported(self, reason: str) -> NoReturn:
        self.op.fail(reason, "unsupported")

    def expect(self, inputs: int | tuple[int, int] | None = 1, outputs: int | None = 1) -> None:
        """Raises Refused unless it has so many (or from, to). None: at least one."""
        low, high = inputs if isinstance(inputs, tuple) else (inputs or 1, inputs or 1 << 20)
        if not low <= len(self.inputs) <= high or (len(self.tops) != outputs if outputs else not self.tops):
            self.unsupported(f"it has {len(self.inputs)} inputs and {len(self.tops)} outputs")

    @property
    def value(self) -> str:
        return self.inputs[0]

    def shape(self, value: str | None = None) -> list[Dim]:
        found = self.graph.shape(value or self.value)
        if found is None:
            self.fail("the shape of what it is given cannot be told", "unsupported")
        return list(found)

    def rank(self, value: str | None = None) -> int:
        return len(self.shape(value))

    def image(self) -> list[Dim]:
        """[batch, channels, height, width] of the input. Raises Refused for another rank or layout."""
        shape = self.shape()
        if len(shape) != 4 or self.format == 1:
            self.unsupported(f"it is given {shape}, which is no image in NCHW")
        return shape

    def axis(self, number: int, rank: int) -> int:
        found = number + rank if number < 0 else number
        if not 0 <= found < rank:
            self.fail(f"there is no axis {number} in {rank}")
        return found

    def constant_input(self, index: int) -> list[int]:
        """The whole numbers of an input that must be a constant."""
        found = self.graph.array(self.inputs[index]) if index < len(self.inputs) else None
        if found is None:
            self.unsupported("what says its shape or place is computed at run time")
        return [int(each) for each in np.asarray(found).reshape(-1)]

    def done(self, value: str, top: int = 0, layout: int | None = None) -> None:
        number = self.op.outputs[top]
        self.values[number] = value
        self.formats[number] = self.format if layout is None else layout

    def out(self, op: str, inputs: Sequence[str], **attributes: Any) -> None:
        """The node that makes the only result."""
        self.done(self.graph.node(op, inputs, self.tops[0], self.op.name, **attributes))

    def name_top(self, value: str, top: int = 0) -> None:
        """A result that got another name on its way."""
        self.done(self.graph.node("Identity", [value], self.tops[top], self.op.name), top)
