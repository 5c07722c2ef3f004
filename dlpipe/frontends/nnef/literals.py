"""What is computed of numbers, strings and lists while the network is read: none of it becomes a node."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

_MOST_ITEMS = 1_000_000  # of a list
_COMPUTED: dict[str, Callable[[Any, Any], Any]] = {
    "-": operator.sub, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge, "==": operator.eq,
    "!=": operator.ne, "&&": lambda x, y: x and y, "||": lambda x, y: x or y,
}  # fmt: skip


def computed(op: str, first: Any, second: Any) -> Any:
    """Raises TypeError, KeyError, ValueError or ArithmeticError for what cannot be computed or grows beyond bounds."""
    made: Any
    if (op == "+" and isinstance(first, list) and isinstance(second, list)) or (
        op == "+" and isinstance(first, str) and isinstance(second, str)
    ):
        made = operator.add(first, second)
    elif op == "*" and isinstance(first, list) and whole(second):
        if len(first) * second > _MOST_ITEMS:
            raise ValueError(op)
        made = first * second
    elif op in "+*/^" and number(first) and number(second):
        made = _arithmetic(op, first, second)
    else:
        made = _COMPUTED[op](first, second)
    if isinstance(made, list | str) and len(made) > _MOST_ITEMS:
        raise ValueError(op)
    return made


def _arithmetic(op: str, first: Any, second: Any) -> Any:
    """Whole numbers stay whole; they are bounded like a tensor's."""
    if op == "/" and whole(first) and whole(second):
        quotient = abs(first) // abs(second)  # towards zero
        return quotient if (first < 0) == (second < 0) else -quotient
    if op == "^" and whole(first) and whole(second) and second >= 0:
        made = first**second if abs(first) < 2 or second < 64 else float(first) ** second
    else:
        made = {"+": operator.add, "*": operator.mul, "/": operator.truediv, "^": operator.pow}[op](first, second)
    if isinstance(made, complex) or (whole(made) and abs(made) >= 1 << 63):
        raise ValueError(op)
    return made


def whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
