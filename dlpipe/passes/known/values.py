"""Holds what a user writes for a parameter to what `dlpipe pass show` says that it takes, before any work is done.

Only what is said as a range or as a list of words can be held to it; anything else is the pass's own matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_N = r"(-?\d+(?:\.\d+)?)"
_RANGES: Mapping[re.Pattern[str], Callable[..., bool]] = {
    re.compile(rf"{_N} or more"): lambda value, low: value >= low,
    re.compile(rf"above {_N}"): lambda value, low: value > low,
    re.compile(rf"{_N} to {_N}"): lambda value, low, high: low <= value <= high,
    re.compile(rf"{_N} to below {_N}"): lambda value, low, high: low <= value < high,
    re.compile(rf"between {_N} and {_N}"): lambda value, low, high: low < value < high,
    re.compile(rf"{_N} or {_N}"): lambda value, one, other: value in (one, other),
}
_WORDS = re.compile(r"[a-z0-9_]+(, [a-z0-9_]+)+")


def fits(said: str, value: Any) -> bool:
    """said: the values in words, as `Parameter.values` has them. True where the words are none that can be checked."""
    if isinstance(value, str):
        return _WORDS.fullmatch(said) is None or value in said.split(", ")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    for pattern, holds in _RANGES.items():
        match = pattern.fullmatch(said)
        if match is not None:
            return holds(value, *map(float, match.groups()))
    return True
