"""A figure and where it comes from. No renderer can drop the provenance, because the type carries it."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

Provenance = Literal["measured", "emulated", "estimated", "absent"]


class Figure(BaseModel):
    """`value` in `unit`. `measured` on the hardware it speaks of, `emulated` (ran, but not on that hardware:
    no speed claims), `estimated` by a vendor tool's model, or `absent` with the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | int | str | bool | None
    unit: str | None = None
    provenance: Provenance
    reason: str | None = None
    ci95: tuple[float, float] | None = None  # the 95 % interval of a number, in the same unit

    @model_validator(mode="after")
    def _honest(self) -> Figure:
        if (self.value is None) != (self.provenance == "absent"):
            raise ValueError("a figure has a value, or is absent; not both, not neither")
        if self.provenance == "absent" and not self.reason:
            raise ValueError("an absent figure says why")
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError("a figure is finite, or absent with the reason")
        if self.ci95 is not None and (self.value is None or not all(map(math.isfinite, self.ci95))):
            raise ValueError("an interval is finite, and that of a value")
        return self

    @classmethod
    def absent(cls, reason: str, unit: str | None = None) -> Figure:
        return cls(value=None, unit=unit, provenance="absent", reason=reason)
