"""Which intermediate values of a student are pulled towards which of its teacher."""

from typing import Any

import onnx_ir as ir
from dlpipe_worker import Refused

_STAGES = 4
_ENDS_A_STAGE = frozenset(
    {"Add", "Relu", "Clip", "PRelu", "LeakyRelu", "Mul", "Concat", "MaxPool", "LayerNormalization"}
)


def pairs(student: ir.Model, teacher: ir.Model, wanted: Any, *, channels: bool) -> list[tuple[str, str]]:
    """(student's value, teacher's value). `wanted`: "auto", or names, or pairs of names. With `channels` they must have
    the same shape, else only the same space. "auto" takes, of the values that both have under the same name, the last
    one of each size of picture: at most four. Raises Refused where there is none."""
    ours, theirs = _made(student), _made(teacher)
    if wanted != "auto":
        named = [(each, each) if isinstance(each, str) else (each[0], each[1]) for each in wanted]
        for mine, other in named:
            for name, known in ((mine, ours), (other, theirs)):
                if name not in known:
                    raise Refused(f"there is no intermediate value {name!r} to compare", kind="unsupported")
            if not _fit(ours[mine], theirs[other], channels):
                shapes = f"{_shape(ours[mine])} and {_shape(theirs[other])}"
                raise Refused(f"{mine!r} and {other!r} do not have shapes that compare: {shapes}", kind="unsupported")
        return named
    found: dict[Any, tuple[str, str]] = {}
    for name, value in ours.items():
        made = value.producer()
        assert made is not None
        if made.op_type in _ENDS_A_STAGE and name in theirs and _fit(value, theirs[name], channels):
            found[tuple(_shape(value)[2:])] = (name, name)
    if not found:
        raise Refused(
            "student and teacher have no intermediate values in common",
            kind="unsupported",
            hint='name them: features=[["student\'s value", "teacher\'s value"]]',
        )
    return list(found.values())[-_STAGES:]


def _made(model: ir.Model) -> dict[str, ir.Value]:
    return {str(value.name): value for node in model.graph for value in node.outputs if value.name}


def _shape(value: ir.Value) -> list[Any]:
    return [] if value.shape is None else [size if isinstance(size, int) else None for size in value.shape]


def _fit(student: ir.Value, teacher: ir.Value, channels: bool) -> bool:
    ours, theirs = _shape(student), _shape(teacher)
    first = 1 if channels else 2
    return len(ours) >= 3 and len(ours) == len(theirs) and ours[first:] == theirs[first:]
