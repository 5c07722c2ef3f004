"""What of the standard this converter takes, told by its own table."""

from __future__ import annotations

from typing import Any

from .handlers import HANDLERS, LIMITS
from .signatures import EXTENSIONS, STANDARD

_REFUSED = {"update"}  # there to say why


def coverage() -> dict[str, Any]:
    """See contracts/frontend.py."""
    found = {}
    for name in sorted({*STANDARD, *EXTENSIONS}):
        taken = name in HANDLERS and name not in _REFUSED
        found[name] = {
            "support": "none" if not taken else "partial" if name in LIMITS else "full",
            "note": LIMITS.get(name),
        }
    return {"operators": found, "source": "the NNEF 1.0 standard, and tract's extensions that are taken"}
