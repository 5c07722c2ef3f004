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
    gathers: str | None = None  # the parameter that takes numbers under names of the user's choice
    changes_interface: bool = False  # whether inputs, outputs and their shapes may be others afterwards
    in_parts: bool = False  # a training that can be split: its parameter "parts" says into how many stages
    explained: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # parameter -> (meaning, which values)


@dataclass(frozen=True, slots=True)
class ChosenPass:
    """A pass by name, and those of its parameters that shall not be what they are by default."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)


class Pass(Protocol):
    @property
    def info(self) -> PassInfo: ...

    def call(self, **params: Any) -> Call: ...
