"""The limits a user sets, with their units: `0.5%`, `10ms`, `2MB`, `1.2`."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from dlpipe.contracts.measurement import Accuracy
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
    """Accuracy in points of the metric, times in ms, sizes in bytes, speed-up as a ratio. None: no limit.

    Points are hundredths of a metric that is a fraction, else its own unit; given in % (`drop_in_percent`), the limit
    of a metric with a scale of its own is a share of the original's value.
    """

    max_accuracy_drop: float | None = None
    max_latency: float | None = None
    max_size: float | None = None
    max_memory: float | None = None
    min_speedup: float | None = None
    drop_in_percent: bool = True

    @classmethod
    def parse(cls, **texts: str | None) -> UserLimits:
        """Raises UserError when a text is not a number with a unit that the limit knows."""
        drop = texts.get("max_accuracy_drop")
        numbers = {name: None if text is None else _number(name, text) for name, text in texts.items()}
        return cls(**numbers, drop_in_percent=drop is None or drop.rstrip().endswith("%"))

    def set_limits(self) -> dict[str, float]:
        """Name -> limit, for those that are set."""
        named = {field.name: getattr(self, field.name) for field in fields(self) if field.name in _UNITS}
        return {name: limit for name, limit in named.items() if limit is not None}

    def allowed_drop(self, found: Accuracy, default: float | None = None) -> float | None:
        """In points of that metric (see `Accuracy`). default: in percent, where the user sets no limit."""
        limit = default if self.max_accuracy_drop is None else self.max_accuracy_drop
        in_percent = self.drop_in_percent or self.max_accuracy_drop is None
        if limit is None or not in_percent or found.unit in ("fraction", "points"):
            return limit
        return limit / 100 * abs(found.value if found.original is None else found.original)


def keeps(name: str, value: float, limit: float) -> bool:
    return value >= limit if name == "min_speedup" else value <= limit


def bad_end(name: str, interval: tuple[float, float]) -> float:
    """What decides where confidence is asked for."""
    return interval[0] if name == "min_speedup" else interval[1]


def parse_duration(text: str | None, option: str) -> float | None:
    """`90s`, `10min`, `2h` -> seconds; None stays None. Raises UserError."""
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*(s|min|h)\s*", text)
    if match is None or float(match[1]) == 0:
        raise UserError(f"{option} {text!r} is not a time", hint="e.g. 90s, 10min, 2h")
    return float(match[1]) * {"s": 1, "min": 60, "h": 3600}[match[2]]


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
