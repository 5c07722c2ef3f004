"""One operation of the network while it is converted: its arguments, and the ONNX nodes it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from dlpipe_worker import Refused

from ..kit.handling import Table
from ..kit.shaped import ShapedGraph
from .packed import Files

DTYPES = {"scalar": np.float32, "integer": np.int64, "logical": np.bool_}
MOST_TENSORS = 4096  # of one operation
_MOST_ITEMS = 1 << 28  # of a constant that a few words of text blow up


@dataclass(frozen=True)
class Tensor:
    """A value of the ONNX graph."""

    name: str


@dataclass(frozen=True)
class Absent:
    """A result that ONNX has no counterpart for; an error only where something reads it."""

    reason: str


Handler = Callable[["Step"], Any]
handles: Table[Handler] = Table()  # a handler returns a Tensor, or a tuple or list of them
HANDLERS, LIMITS = handles.handlers, handles.limits


class Step:
    """`wanted`: the name of the result, used by `result`; `dtype`: of `name<dtype>(...)`."""

    def __init__(
        self,
        graph: ShapedGraph,
        files: Files,
        op: str,
        args: Mapping[str, Any],
        wanted: Any,
        dtype: str | None,
        overrides: Mapping[str, Any],
    ) -> None:
        self.graph = graph
        self.files = files
        self.op = op
        self.args = args
        self.dtype = dtype
        self.overrides = overrides  # "inputs": what the user said of inputs
        self.wanted = wanted
        self.label = wanted if isinstance(wanted, str) else next(iter(_flat(wanted)), op)
        graph.where = (self.label, op)

    def fail(self, message: str, kind: str = "bad-model", hint: str | None = None) -> NoReturn:
        raise Refused(message, kind, hint=hint, node=self.label, op=self.op)

    # -- arguments

    def tensor(self, key: str | Any, like: Tensor | None = None) -> Tensor:
        """The argument `key` (or a value) as a tensor; a number becomes a constant of the element type of `like`."""
        value = self.args[key] if isinstance(key, str) else key
        if isinstance(value, Tensor):
            return value
        if isinstance(value, Absent):
            self.fail(value.reason, "unsupported")
        try:
            array = np.asarray(value)
        except ValueError:
            self.fail("an array whose rows are of different lengths is no tensor")
        if array.dtype.kind not in "bif":
            self.fail(f"{value!r} is no tensor")
        wanted = self.graph.dtype(like.name) if like else None
        if wanted is None:
            wanted = np.bool_ if array.dtype.kind == "b" else np.float32
        return self.constant(array.astype(wanted))

    def pair(self, first: str, second: str) -> tuple[Tensor, Tensor]:
        """Two arguments, the numbers among them of the element type of the other."""
        tensors = [each for each in (self.args[first], self.args[second]) if isinstance(each, Tensor)]
        like = tensors[0] if tensors else None
        return self.tensor(first, like), self.tensor(second, like)

    def number(self, key: str) -> float:
        value = self.args[key]
        if isinstance(value, Tensor):
            array = self.graph.array(value.name)
            if array is None or array.size != 1:
                self.fail(f"{key} is a tensor", "unsupported", hint="ONNX needs a number here")
            return float(array.reshape(()))
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(f"{key} is {value!r}, not a number")
        return float(value)

    def integer(self, key: str) -> int:
        return self._integer(self.args[key], key)

    def _integer(self, value: Any, key: str) -> int:
        if isinstance(value, Tensor):
            self.fail(f"{key} is computed by the network", "unsupported", hint="standard NNEF has whole numbers here")
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 31:
            self.fail(f"{key} is {value!r}, not a whole number")
        return value

    def integers(self, key: str) -> list[int]:
        value = self.args[key]
        if not isinstance(value, list):
            self.fail(f"{key} is {value!r}, not a list of whole numbers")
        return [self._integer(each, key) for each in value]

    def flag(self, key: str) -> bool:
        if not isinstance(self.args[key], bool):
            self.fail(f"{key} is {self.args[key]!r}, neither true nor false")
        return bool(self.args[key])

    def choice(self, key: str, *known: str) -> str:
        if self.args[key] not in known:
            self.fail(f"{key} is {self.args[key]!r}: it is one of {', '.join(known)}")
        return str(self.args[key])

    def axis(self, key: str, rank: int) -> int:
        return self.in_rank([self.integer(key)], rank)[0]

    def axes(self, key: str, rank: int) -> list[int]:
        return self.in_rank(self.integers(key), rank)

    def in_rank(self, axes: list[int], rank: int) -> list[int]:
        if len(set(axes)) < len(axes) or not all(0 <= each < rank for each in axes):
            self.fail(f"axes {axes} of a tensor with {rank} dims")
        return axes

    def tensors(self, key: str) -> list[Tensor]:
        value = self.args[key]
        if not isinstance(value, list) or not value:
            self.fail(f"{key} is not a list of tensors")
        if len(value) > MOST_TENSORS:
            self.fail(f"{key} has {len(value)} tensors", "unsupported")
        like = next((each for each in value if isinstance(each, Tensor)), None)
        return [self.tensor(each, like) for each in value]

    # -- what is known of values

    def shape(self, value: Tensor) -> tuple[Any, ...]:
        self.graph.rank(value.name)
        return self.graph.shape(value.name) or ()

    def sizes(self, value: Tensor, axes: Sequence[int]) -> list[int]:
        """Raises Refused where a dim is free."""
        shape = self.shape(value)
        for axis in axes:
            if not isinstance(shape[axis], int):
                what = f"dim {axis} of {value.name!r} is free ({shape[axis]})"
                self.fail(what, "unsupported", hint="give it a size, e.g. --shape S=16")
        return [int(shape[axis]) for axis in axes]

    def rank(self, value: Tensor) -> int:
        return self.graph.rank(value.name)

    # -- what is written

    def constant(self, array: Any, name: str | None = None) -> Tensor:
        array = np.asarray(array)
        if array.size > _MOST_ITEMS:
            self.fail(f"a constant of {array.size} items is beyond what is read from a text")
        return Tensor(self.graph.constant(array, name or f"{self.label}_constant"))

    def ints(self, values: Sequence[int]) -> str:
        return self.constant(np.asarray(list(values), np.int64)).name

    def emit(self, op: str, inputs: Sequence[Tensor | str], **attributes: Any) -> Tensor:
        """A node whose result is an intermediate one."""
        return self.emit_many(op, inputs, 1, **attributes)[0]

    def emit_many(self, op: str, inputs: Sequence[Tensor | str], count: int, **attributes: Any) -> list[Tensor]:
        names = [each.name if isinstance(each, Tensor) else each for each in inputs]
        outputs = [self.graph.fresh(f"{self.label}_{op}") for _ in range(count)]
        self.graph.node(op, names, outputs, self.label, **attributes)
        return [Tensor(each) for each in outputs]

    def result(self, op: str, inputs: Sequence[Tensor | str], index: int = 0, **attributes: Any) -> Tensor:
        """The node that makes the operation's result (its result number `index`), under the name that the text has."""
        names = [each.name if isinstance(each, Tensor) else each for each in inputs]
        return Tensor(self.graph.node(op, names, self.name(index), self.label, **attributes))

    def name(self, index: int = 0) -> str:
        wanted = [self.wanted] if isinstance(self.wanted, str) else self.wanted or []
        found = wanted[index] if index < len(wanted) else None
        return found if isinstance(found, str) else self.graph.fresh(self.op)

    def binary(self, op: str, first: Tensor, second: Any) -> Tensor:
        """Element-wise on tensors of NNEF's broadcasting: dims are aligned at the first one."""
        one, two = self.aligned(first, self.tensor(second, first))
        return self.emit(op, [one, two])

    def aligned(self, *values: Tensor) -> list[Tensor]:
        """Of one rank: dims of size one are added at the end, where ONNX adds them in front."""
        ranks = [self.rank(each) for each in values]
        most = max(ranks)
        return [
            each if rank in (0, most) else self.unsqueeze(each, range(rank, most))
            for each, rank in zip(values, ranks, strict=True)
        ]

    def unsqueeze(self, value: Tensor, axes: Sequence[int]) -> Tensor:
        return self.emit("Unsqueeze", [value, self.ints(list(axes))])

    def reshape(self, value: Tensor, shape: Sequence[int]) -> Tensor:
        return self.emit("Reshape", [value, self.ints(shape)])


def _flat(wanted: Any) -> list[str]:
    if isinstance(wanted, str):
        return [wanted]
    return [name for each in wanted or [] for name in _flat(each)]
