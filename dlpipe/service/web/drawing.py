"""A job's stages as a drawing: what makes models and artefacts, as the report draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlpipe.report import dag
from dlpipe.service.api.views import StageView

_DRAWN = frozenset({"import", "pass", "compile"})


@dataclass(frozen=True, slots=True)
class Drawing:
    """`boxes`: each with its stage. `size`: of a box, in CSS pixels."""

    layout: dag.Layout
    boxes: tuple[tuple[dag.Box, StageView], ...]
    size: tuple[int, int] = dag.BOX


def drawing(stages: Sequence[StageView]) -> Drawing | None:
    """None while there is nothing to draw. Measurements are in the table alone: each follows what it measures."""
    drawn = {each.stage: each for each in stages if each.kind in _DRAWN}
    if not drawn:
        return None
    joined = {name for each in drawn.values() for name in (each.stage, *each.after) if set(each.after) & drawn.keys()}
    drawn = {name: each for name, each in drawn.items() if name in joined or not joined}
    passes = {name for name, each in drawn.items() if each.kind == "pass"}
    compiled = {name for name, each in drawn.items() if each.kind == "compile"}
    layout = dag.layout({name: each.after for name, each in drawn.items()}, stacked=passes, last=compiled)
    return Drawing(layout, tuple((box, drawn[box.id]) for box in layout.boxes))
