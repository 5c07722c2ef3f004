"""The indicators and their labels, read from `indicators.toml` and `training.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Label:
    en: str
    zh: str

    def of(self, lang: str) -> str:
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Indicator:
    id: str
    level1: Label
    level2: Label
    level3: Label
    short: Label  # where there is little room
    unit: str | None
    cost: str | None  # the key of an artefact's cost block that fills it
    absent: str  # the reason where nothing fills it
    better: Literal["lower", "higher", "most"] | None  # None: a fact that ranks nothing
    weight: float  # in a ranking, by default


def indicators() -> tuple[Indicator, ...]:
    """Of inference frameworks (the paper's table 2), in its order."""
    return _read("indicators.toml")


def training_indicators() -> tuple[Indicator, ...]:
    """Of training frameworks (table 1), as far as a conversion can measure them."""
    return _read("training.toml")


@cache
def _read(name: str) -> tuple[Indicator, ...]:
    data = tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
    level1 = {each["id"]: Label(each["en"], each["zh"]) for each in data["level1"]}
    return tuple(
        Indicator(
            id=each["id"],
            level1=level1[each["id"].split(".")[0]],
            level2=Label(**each["level2"]),
            level3=Label(**each["level3"]),
            short=Label(**each.get("short", each["level3"])),
            unit=each.get("unit"),
            cost=each.get("cost"),
            absent=each["absent"],
            better=each.get("better"),
            weight=float(each.get("weight", 0)),
        )
        for each in data["indicator"]
    )
