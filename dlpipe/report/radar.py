"""Scores as a radar plot: one polygon for each of a few candidates, one axis for each indicator."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SIZE = (520, 400)
CENTRE = (260.0, 200.0)
RADIUS = 140.0
MOST = 4  # polygons that can still be told apart
_RINGS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Axis:
    name: str
    end: tuple[float, float]
    label: tuple[float, float]
    anchor: str  # SVG's text-anchor


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Radar:
    axes: tuple[Axis, ...]
    rings: tuple[tuple[tuple[float, float], ...], ...]
    shapes: tuple[Shape, ...]


def radar(names: Mapping[str, str], candidates: Sequence[tuple[str, Mapping[str, float]]]) -> Radar | None:
    """names: axis -> its label; candidates: name and scores in 0-1, best first, of which the first few are drawn. None
    with fewer than three axes: that is no area."""
    count = len(names)
    if count < 3 or not candidates:
        return None
    angles = [2 * math.pi * index / count - math.pi / 2 for index in range(count)]
    axes = tuple(
        Axis(name, _place(angle, 1.0), _place(angle, 1.1), _anchor(angle))
        for name, angle in zip(names.values(), angles, strict=True)
    )
    rings = tuple(tuple(_place(angle, ring) for angle in angles) for ring in _RINGS)
    shapes = tuple(
        Shape(name, tuple(_place(angle, scores.get(axis, 0.0)) for axis, angle in zip(names, angles, strict=True)))
        for name, scores in candidates[:MOST]
    )
    return Radar(axes, rings, shapes)


def _place(angle: float, share: float) -> tuple[float, float]:
    far = RADIUS * min(max(share, 0.0), 1.1)
    return round(CENTRE[0] + far * math.cos(angle), 1), round(CENTRE[1] + far * math.sin(angle), 1)


def _anchor(angle: float) -> str:
    side = math.cos(angle)
    return "middle" if abs(side) < 0.2 else "start" if side > 0 else "end"
