"""What is found out of a value that both graphs have."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

Figures = dict[str, Any]


@dataclass
class Row:
    """own: figures of the candidate's value, as it comes of its own inputs; alone: of what the candidate makes of the
    reference's values `parents`, by the nodes `segment` and then `node`."""

    value: str
    reference_value: str
    node: str
    op: str
    reference_node: str | None
    reference_op: str | None
    own: Figures
    alone: Figures
    parents: tuple[str, ...] = ()
    segment: tuple[str, ...] = ()
    layout: tuple[int, ...] | None = field(default=None)  # in which order the candidate has the reference's axes

    @property
    def departs(self) -> bool:
        return self.own["passed"] is False

    @property
    def wrong(self) -> bool:
        return self.alone["passed"] is False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
