"""What a pass is to the pipeline: a named IR -> IR call that says whether it is exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dlpipe.contracts.call import Call


@dataclass(frozen=True, slots=True)
class PassInfo:
    name: str
    summary: str
    exact: bool  # same outputs up to rounding; a lossy pass says by how much it may differ (tolerance)
    needs: tuple[str, ...] = ()  # further inputs beside "ir": e.g. "samples" for calibration
    defaults: Mapping[str, Any] = field(default_factory=dict)


class Pass(Protocol):
    @property
    def info(self) -> PassInfo: ...

    def call(self, **params: Any) -> Call: ...
