"""What the sniffer found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Found:
    """`form`: "<framework>/<format>"; `title`: it in words; `entry`: the file that the format begins with, where that
    is not the one that was looked at (relative to its folder)."""

    form: str
    title: str
    entry: str | None = None
    version: str | None = None
    operators: Mapping[str, int] = field(default_factory=dict)
    risks: tuple[str, ...] = ()

    def at(self, entry: str | None) -> Found:
        return replace(self, entry=entry)

    def as_json(self, entry: str) -> dict[str, Any]:
        """The fields of `contracts.frontend.Sniffed`. Only a model of unknown format has no framework."""
        return {
            "format": self.form,
            "framework": self.form.partition("/")[0],
            "entry": self.entry or entry,
            "version": self.version,
            "operators": dict(sorted(self.operators.items())),
            "risks": list(self.risks),
            "reason": self.title if self.form == "unknown" else f"it reads as {self.title}",
        }


def unknown(reason: str) -> Found:
    return Found("unknown", reason)
