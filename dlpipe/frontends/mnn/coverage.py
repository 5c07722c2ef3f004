"""What of MNN's operators this converter takes, held against the operators of MNN's schema."""

from __future__ import annotations

from typing import Any

from .ops import load_handlers
from .schema import OPERATORS
from .step import HANDLERS, LIMITS


def coverage() -> dict[str, Any]:
    """See contracts/frontend.py."""
    load_handlers()
    found: dict[str, Any] = {}
    for name in sorted({*OPERATORS.values(), *HANDLERS}):
        taken = name in HANDLERS or name == "Input"
        support = "none" if not taken else "partial" if name in LIMITS else "full"
        found[name] = {"support": support, "note": LIMITS.get(name)}
    return {"operators": found, "source": "the enum OpType of alibaba/MNN's schema"}
