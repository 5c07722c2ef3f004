"""JSON values, and the one canonical spelling of them that digests are taken over."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

_LINE = 160  # characters of an object that is one line
Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None


def canonical(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8. Raises ValueError on NaN and infinities, which JSON does not have."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest(value: Any) -> str:
    """SHA-256 (64 hex digits) of the canonical spelling."""
    return hashlib.sha256(canonical(value)).hexdigest()


def laid_out(value: Any, indent: str = "") -> str:
    """JSON for people and for `diff`: as `json.dumps(value, indent=2)`, but what holds plain values only (a figure, a
    shape, a histogram) is one line. Raises ValueError for NaN and infinities."""
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    line = None
    if not any(isinstance(each, dict | list) for each in inside):
        line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if line is not None and (len(line) <= _LINE or not isinstance(value, dict)):
        return line
    within = indent + "  "
    if isinstance(value, dict):
        lines = [f"{json.dumps(key, ensure_ascii=False)}: {laid_out(each, within)}" for key, each in value.items()]
        return "{\n" + ",\n".join(within + each for each in lines) + f"\n{indent}}}"
    return "[\n" + ",\n".join(within + laid_out(each, within) for each in value) + f"\n{indent}]"
