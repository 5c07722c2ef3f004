"""Boxes that overlap a better one are left out: non-maximum suppression, as an operator of its own."""

from __future__ import annotations

from .handlers import handles
from .reading import Operator
from .scope import Scope, element


@handles("NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", note="soft suppression is refused")
def suppress(scope: Scope, op: Operator) -> None:
    """Inputs: boxes [n, 4], scores [n], how many at most, limits of overlap and score; of V5 a deviation. Outputs:
    indices, of V5 their scores, filled up with zeros; how many there are."""
    name = scope.name(op.outputs[0])
    if len(op.inputs) > 5 and float(scope.constant(op, 5).flat[0]):
        raise op.refuse("lets scores fade in place of leaving boxes out")
    most = int(scope.constant(op, 2).flat[0])
    if most < 1:
        raise op.refuse(f"keeps {most} boxes")
    scope.small(op, most)
    scores = scope.real(op.inputs[1])
    limits = [
        scope.node("Reshape", [scope.real(index), scope.const([1], f"{name}__one", "int64")], name)
        for index in op.inputs[3:5]
    ]
    chosen = scope.node(
        "NonMaxSuppression",
        [
            scope.node("Unsqueeze", [scope.real(op.inputs[0]), scope.const([0], f"{name}__batch", "int64")], name),
            scope.node("Unsqueeze", [scores, scope.const([0, 1], f"{name}__class", "int64")], name),
            scope.const([most], f"{name}__most", "int64"),
            *limits,
        ],
        name,
    )
    which = scope.node("Gather", [chosen, scope.const(2, f"{name}__box", "int64")], name, axis=1)
    index, *between, count = op.outputs
    scope.result(index, "Cast", [_filled(scope, name, which, most, "int64")], to=element(scope.tensor(index).dtype))
    for each in between:
        found = scope.node("Gather", [scores, which], name, axis=0)
        scope.result(each, "Identity", [_filled(scope, name, found, most, "float32")], real=True)
    scope.result(count, "Cast", [scope.node("Size", [which], name)], to=element(scope.tensor(count).dtype))


def _filled(scope: Scope, name: str, value: str, most: int, dtype: str) -> str:
    """[most], zeros at the end."""
    room = scope.node("Concat", [value, scope.const([0] * most, f"{name}__room", dtype)], name, axis=0)
    bounds = [scope.const([each], f"{name}__bound", "int64") for each in (0, most, 0)]
    return scope.node("Slice", [room, *bounds], name)
