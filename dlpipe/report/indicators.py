"""The indicators and their labels, read from `indicators.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Label:
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Indicator:
    id: str
    level1: Label
    level2: Label
    level3: Label
    unit: str | None
    cost: str | None  # the key of an artefact's cost block that fills it
    absent: str  # the reason where nothing fills it


@cache
def indicators() -> tuple[Indicator, ...]:
    """All of them, in the paper's order."""
    data = tomllib.loads(Path(__file__).with_name("indicators.toml").read_text(encoding="utf-8"))
    level1 = {each["id"]: Label(each["en"], each["zh"]) for each in data["level1"]}
    return tuple(
        Indicator(
            id=each["id"],
            level1=level1[each["id"].split(".")[0]],
            level2=Label(**each["level2"]),
            level3=Label(**each["level3"]),
            unit=each.get("unit"),
            cost=each.get("cost"),
            absent=each["absent"],
        )
        for each in data["indicator"]
    )
