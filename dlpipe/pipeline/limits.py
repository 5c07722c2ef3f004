"""The limits a user sets, with their units: `0.5%`, `10ms`, `2MB`, `1.2`."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from dlpipe.errors import UserError

_UNITS = {
    "max_accuracy_drop": ("points", {"%": 1.0, "points": 1.0, "pp": 1.0, "": 1.0}),
    "max_latency": ("ms", {"ms": 1.0, "us": 1e-3, "s": 1e3}),
    "max_size": ("bytes", {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20}),
    "max_memory": ("bytes", {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20}),
    "min_speedup": ("x", {"x": 1.0, "": 1.0}),
}


@dataclass(frozen=True, slots=True)
class UserLimits:
    """Accuracy in absolute points of the metric, times in ms, sizes in bytes, speed-up as a ratio. None: no limit."""

    max_accuracy_drop: float | None = None
    max_latency: float | None = None
    max_size: float | None = None
    max_memory: float | None = None
    min_speedup: float | None = None

    @classmethod
    def parse(cls, **texts: str | None) -> UserLimits:
        """Raises UserError when a text is not a number with a unit that the limit knows."""
        return cls(**{name: None if text is None else _number(name, text) for name, text in texts.items()})

    def set_limits(self) -> dict[str, float]:
        """Name -> limit, for those that are set."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: limit for name, limit in named.items() if limit is not None}


def unit_of(name: str) -> str:
    return _UNITS[name][0]


def _number(name: str, text: str) -> float:
    units = _UNITS[name][1]
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z%]*)\s*", text)
    if match is None or match[2] not in units:
        option = "--" + name.replace("_", "-")
        known = ", ".join(unit or "none" for unit in units)
        raise UserError(f"{option} {text!r} is not a number with a unit", hint=f"units it knows: {known}")
    return float(match[1]) * units[match[2]]
