"""What of the schema's operators the converter handles."""

from __future__ import annotations

from typing import Any

from . import writing  # noqa: F401  registers all handlers
from .handlers import HANDLERS
from .schema import OPERATORS

# Names in the schema that are no operators of a model.
_PLACES = {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}


def coverage() -> dict[str, Any]:
    operators = {}
    for name in sorted({*OPERATORS, *HANDLERS} - _PLACES):
        handling = HANDLERS.get(name)
        support = "none" if handling is None else "partial" if handling.note else "full"
        operators[name] = {"support": support, "note": handling.note if handling else None}
    return {"operators": operators, "source": "the enum BuiltinOperator of TensorFlow Lite's schema, version 3"}
