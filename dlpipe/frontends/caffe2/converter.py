"""Walks the operators of a net and writes each as ONNX nodes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit.ports import BATCH
from ..kit.shaped import Dim, ShapedGraph
from .nets import Operator
from .table import OPERATORS


class FixedBatch(Exception):
    """The net is written for one size of batch: `size`."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the batch is {size}")
        self.size = size


class Mismatch(Exception):
    """While the input's size is looked for: a layer gets `found` numbers of each sample and takes `wanted`.

    found is None where it depends on dims that are not known.
    """

    def __init__(self, found: int | None, wanted: int) -> None:
        super().__init__(f"{found} numbers for {wanted}")
        self.found = found
        self.wanted = wanted


@dataclass
class Converter:
    """`values`: a value of the net -> its name in the ONNX graph. `quantised`: of 8-bit values, (scale, zero point);
    the ONNX value then is the dequantised one."""

    graph: ShapedGraph
    values: dict[str, str] = field(default_factory=dict)
    quantised: dict[str, tuple[float, int]] = field(default_factory=dict)
    probing: bool = False  # whether the input's size is only being looked for

    def convert(self, op: Operator) -> None:
        """Raises Refused that names the operator."""
        entry = OPERATORS.get(op.type)
        if entry is None:
            raise Refused(f"the operator {op.type} is not converted", "unsupported", **op.where)
        self.graph.where = (op.where["node"], op.type)
        try:
            entry.convert(self, op)
        except IndexError as error:
            raise Refused("it has fewer inputs or outputs than the operator needs", **op.where) from error
        op.args.check_all_seen()

    def value(self, op: Operator, index: int) -> str:
        """The ONNX value of an input."""
        name = op.inputs[index]
        if name not in self.values:
            raise Refused(f"its input {name!r} is never computed", **op.where)
        return self.values[name]

    def emit(self, op: Operator, onnx_op: str, inputs: Sequence[str], **attributes: Any) -> str:
        """An intermediate node of this operator. Returns its output."""
        return self.graph.node(
            onnx_op, inputs, self.graph.fresh(f"{self.label(op)}/{onnx_op}"), self.label(op), **attributes
        )

    def finish(self, op: Operator, onnx_op: str, inputs: Sequence[str], output: int = 0, **attributes: Any) -> None:
        """The node that makes this operator's output of that index."""
        name = op.outputs[output]
        made = self.graph.node(onnx_op, inputs, name, self.label(op), **attributes)
        self.values[name] = made

    def alias(self, op: Operator, value: str, output: int = 0) -> None:
        """The output is this very value, under the blob's own name so that it can be found."""
        self.finish(op, "Identity", [value], output)

    def hold(self, op: Operator, array: Any, output: int = 0) -> None:
        """The output is a constant."""
        self.values[op.outputs[output]] = self.graph.constant(np.asarray(array), op.outputs[output])

    def constant(self, op: Operator, array: Any, dtype: Any = None) -> str:
        return self.graph.constant(np.asarray(array, dtype), f"{self.label(op)}/constant")

    def label(self, op: Operator) -> str:
        return op.name or (op.outputs[0] if op.outputs else op.type)

    def array(self, op: Operator, index: int) -> Any:
        """The numbers of an input that is a constant. Raises Refused where it is computed."""
        found = self.graph.array(self.value(op, index))
        if found is None:
            raise self.unsupported(op, f"its input {op.inputs[index]!r} is computed, and has to be a constant here")
        return found

    def shape(self, value: str) -> tuple[Dim, ...] | None:
        return self.graph.shape(value)

    def rank(self, value: str) -> int:
        return self.graph.rank(value)

    def unsupported(self, op: Operator, message: str) -> Refused:
        return Refused(message, "unsupported", **op.where)

    def bad(self, op: Operator, message: str) -> Refused:
        return Refused(message, **op.where)

    def axis(self, op: Operator, value: str, axis: int) -> int:
        """A possibly negative axis, as a place from the front."""
        rank = self.rank(value)
        if not -rank <= axis < rank:
            raise self.bad(op, f"axis {axis} of a value with {rank} dims")
        return axis % rank

    def channels_last(self, op: Operator) -> bool:
        order = op.args.text("order", "NCHW")
        if order not in ("NCHW", "NHWC"):
            raise self.unsupported(op, f"the order {order!r}")
        return order == "NHWC"

    def to_first(self, op: Operator, value: str) -> str:
        """N...C -> NC..."""
        rank = self.rank(value)
        return self.emit(op, "Transpose", [value], perm=[0, rank - 1, *range(1, rank - 1)])

    def last_perm(self, value: str) -> list[int]:
        """The permutation NC... -> N...C."""
        rank = self.rank(value)
        return [0, *range(2, rank), 1]

    def check_batch(self, value: str, first: int) -> None:
        """A net that writes out its batch (as the first dim of a reshape) is one for that batch."""
        shape = self.shape(value)
        if shape and shape[0] == BATCH and first > 0:
            raise FixedBatch(first)

    def check_size(self, op: Operator, value: str, wanted: int, axis: int = 1, may_split: bool = False) -> None:
        """The dims from `axis` on have to hold that many numbers, whatever the batch is; or, where a sample may be
        split into rows, a multiple of it.

        Raises Mismatch where that tells something of the input's size, Refused where it is plainly wrong.
        """
        shape = self.shape(value)
        if shape is None:
            return
        dims = [dim for dim in shape[axis:] if isinstance(dim, int)]
        found = math.prod(dims) if len(dims) == len(shape) - axis else None
        if found == wanted:
            return
        if found is None or self.probing:
            raise Mismatch(found, wanted)
        if may_split and wanted and found % wanted == 0:
            return
        raise self.bad(op, f"it takes {wanted:,} numbers of each sample, and gets {found:,}")
