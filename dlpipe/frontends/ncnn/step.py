"""One layer on its way into the graph: what its handler reads, and how it writes.

ncnn counts axes without a batch: a blob is [w], [h, w], [c, h, w] or [c, d, h, w]. Its value in ONNX has one axis more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..kit.handling import Table
from ..kit.shaped import Dim, ShapedGraph
from ..kit.writing import Writing
from .param import Layer
from .weights import Weights

Handler = Callable[["Step"], None]
layer: Table[Handler] = Table()
HANDLERS, LIMITS = layer.handlers, layer.limits
HINTS = {30, 31}  # shapes of the tops, and options of single layers: they change no number
MAX_SIZE = 1 << 28  # numbers in one array of weights


class Step(Writing[ShapedGraph]):
    """`inputs`: values of the bottoms; `batch`: what the model's first dim is; `values`: blob -> value, of all."""

    def __init__(self, graph: ShapedGraph, layer: Layer, weights: Weights, values: dict[str, str], batch: Any) -> None:
        super().__init__(graph, layer.name)
        self.layer = layer
        self.weights = weights
        self.values = values
        self.batch = batch
        self.inputs = [values[each] for each in layer.bottoms]
        graph.where = (layer.name, layer.type)

    def fail(self, reason: str, kind: str = "bad-model", hint: str | None = None) -> NoReturn:
        self.layer.fail(reason, kind, hint)

    def unsupported(self, reason: str, hint: str | None = None) -> NoReturn:
        self.layer.fail(reason, "unsupported", hint)

    def expect(self, bottoms: int | None = 1, tops: int | None = 1) -> None:
        """Raises Refused unless the layer has so many. None: at least one."""
        for found, wanted, what in ((len(self.inputs), bottoms, "goes in"), (len(self.layer.tops), tops, "comes out")):
            if found != wanted if wanted is not None else not found:
                self.unsupported(f"so many blobs ({found}) as what {what} are not converted")

    @property
    def value(self) -> str:
        return self.inputs[0]

    def shape(self, value: str | None = None) -> list[Dim]:
        """Without the batch."""
        found = self.graph.shape(value or self.value)
        if found is None or len(found) < 2:
            self.fail("the shape of what it is given cannot be told")
        return list(found[1:])

    def rank(self, *wanted: int, value: str | None = None) -> int:
        """How many axes ncnn counts. Raises Refused where there are others than wanted."""
        found = len(self.shape(value))
        if wanted and found not in wanted:
            self.unsupported(f"what it is given has {found} axes")
        return found

    def size(self, dim: Dim, what: str = "what it is given") -> int:
        """The dim as a number. Raises Refused where it is free."""
        if not isinstance(dim, int):
            self.unsupported(
                f"the size of {what} must be known", f"give the input's shape: --input {self._input()}:1x3x224x224"
            )
        return dim

    def _input(self) -> str:
        """One whose size is free."""
        free = [port["name"] for port in self.graph.inputs if any(isinstance(dim, str) for dim in port["shape"][1:])]
        return str((free or [port["name"] for port in self.graph.inputs] or ["data"])[0])

    def channels(self) -> int:
        return self.size(self.shape()[0], "the first axis")

    def axis(self, number: int, rank: int) -> int:
        """ncnn's axis as one of the value."""
        found = number + rank if number < 0 else number
        if not 0 <= found < rank:
            self.fail(f"there is no axis {number} in {rank}")
        return found + 1

    def weight(self, *shape: int) -> Any:
        """Stored with a word that says how: float32 or int8."""
        return self.weights.flagged(self._checked(shape), self.layer.name)

    def floats(self, *shape: int) -> Any:
        return self.weights.plain(self._checked(shape), self.layer.name)

    def _checked(self, shape: Sequence[int]) -> Sequence[int]:
        size = 1
        for dim in shape:
            size *= dim
            if dim < 1 or size > MAX_SIZE:
                self.fail(f"weights of the shape {list(shape)}")
        return shape

    def per_channel(self, array: Any, name: str, shared: bool = False) -> str:
        """A constant of one number per first axis, of a rank that broadcasts. shared: or of one number for all."""
        rank = self.rank()
        if not (shared and array.size == 1) and self.shape()[0] not in (array.size, None):
            self.fail(f"it has weights for {array.size} channels, and is given {self.shape()[0]}")
        return self.constant(array.reshape(array.size, *[1] * (rank - 1)), name)

    def nodes(self, op: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """Several values of one node."""
        made = [self.graph.fresh(f"{self.layer.name}.{op}") for _ in range(count)]
        self.graph.node(op, inputs, made, self.layer.name, **attributes)
        return made

    def reshape(self, value: str, shape: Sequence[int | str]) -> str:
        """To [batch, *shape]: numbers, or the names of values that hold one (int64, [1])."""
        if all(isinstance(each, int) for each in shape):
            numbers = [each for each in shape if isinstance(each, int)]
            self._check_count(value, numbers)
            return self.node("Reshape", [value, self.ints([0, *numbers], "shape")])
        parts = [self.ints([0], "batch"), *(self.ints([each]) if isinstance(each, int) else each for each in shape)]
        return self.node("Reshape", [value, self.node("Concat", parts, axis=0)])

    def _check_count(self, value: str, wanted: list[int]) -> None:
        given = self.shape(value)
        if -1 in wanted and not all(isinstance(each, int) for each in given):
            return
        whole = math.prod(self.size(each, "what is reshaped to a fixed shape") for each in given)
        known = math.prod(each for each in wanted if each > 0)
        if whole % known if -1 in wanted else whole != known:
            self.fail(f"{given} cannot become {wanted}")

    def dim(self, value: str, axis: int) -> int | str:
        """One dim (axis as ncnn counts) as `reshape` takes it."""
        found = self.shape(value)[axis]
        if isinstance(found, int):
            return found
        return self.node("Shape", [value], start=axis + 1, end=axis + 2)

    def done(self, value: str, top: int = 0) -> None:
        """The value is the top's. It gets the blob's name where it is fresh."""
        self.values[self.layer.tops[top]] = value

    def out(self, op: str, inputs: Sequence[str], **attributes: Any) -> None:
        """The node that makes the only top."""
        self.done(self.graph.node(op, inputs, self.layer.tops[0], self.layer.name, **attributes))

    def name_top(self, value: str, top: int = 0) -> None:
        """A result that got another name on its way."""
        blob = self.layer.tops[top]
        self.done(self.graph.node("Identity", [value], blob, self.layer.name), top)
