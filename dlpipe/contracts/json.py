"""JSON values, and the one canonical spelling of them that digests are taken over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None


def canonical(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8. Raises ValueError on NaN and infinities, which JSON does not have."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest(value: Any) -> str:
    """SHA-256 (64 hex digits) of the canonical spelling."""
    return hashlib.sha256(canonical(value)).hexdigest()
