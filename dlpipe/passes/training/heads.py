"""Where a loss looks at a network: before the last softmax or sigmoid, not behind it."""

from dataclasses import dataclass
from typing import Any, Literal

import onnx_ir as ir
from dlpipe_worker import Refused

_SOFT: dict[str, Literal["softmax", "sigmoid"]] = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid"}


@dataclass(frozen=True, slots=True)
class Head:
    """An output; `value` is the one to watch: the output itself ("raw"), or what goes into its last activation."""

    output: str
    value: str
    kind: Literal["raw", "softmax", "sigmoid"]


def heads(model: ir.Model) -> list[Head]:
    """Of all outputs that are floats, in the order of the graph. `model` has inferred shapes: without the rank of its
    input, a softmax over axis 1 is not known to be one over the last axis, and its probabilities pass for scores."""
    found = []
    for value in model.graph.outputs:
        if value.dtype is not None and not value.dtype.is_floating_point():
            continue
        made = _behind_rounding(value).producer()
        kind = _SOFT.get(made.op_type) if made is not None and made.domain == "" else None
        if made is None or kind is None or (kind == "softmax" and not _last_axis(made)):
            found.append(Head(str(value.name), str(value.name), "raw"))
        else:
            assert made.inputs[0] is not None
            found.append(Head(str(value.name), str(made.inputs[0].name), kind))
    if not found:
        raise Refused("the model has no output of floats that could be trained", kind="unsupported")
    return found


def _behind_rounding(value: ir.Value) -> ir.Value:
    """What an output of a quantised model is before it is rounded."""
    dequantize = value.producer()
    quantize = (
        dequantize.inputs[0].producer()
        if dequantize is not None and dequantize.inputs and dequantize.inputs[0]
        else None
    )
    if quantize is None or (dequantize.op_type, quantize.op_type) != ("DequantizeLinear", "QuantizeLinear"):
        return value
    return quantize.inputs[0]


def matched(student: list[Head], teacher: list[Head]) -> list[tuple[Head, Head]]:
    """By name, else by place."""
    named = {head.output: head for head in teacher}
    if all(head.output in named for head in student):
        return [(head, named[head.output]) for head in student]
    if len(student) != len(teacher):
        raise Refused(
            f"the teacher has the outputs {[head.output for head in teacher]}, "
            f"the student {[head.output for head in student]}",
            kind="unsupported",
        )
    return list(zip(student, teacher, strict=True))


def _last_axis(node: ir.Node) -> bool:
    """A softmax over the last axis, or (as in older sets) over all that is left of it."""
    value: Any = node.inputs[0]
    axis = node.attributes["axis"].value if "axis" in node.attributes else None
    rank = len(value.shape) if value is not None and value.shape is not None else None
    return axis in (None, -1) or (rank is not None and axis in (rank - 1, 1 if rank == 2 else -1))
