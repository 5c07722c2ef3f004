"""What a stage works with: the graph, and the columns that there are. Numbers are doubles inside, as in Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit.emit import ML, Graph
from ..kit.ports import BATCH
from .reading import SavedStage


@dataclass(frozen=True)
class Column:
    """A value of the graph: [N, width] doubles, or [N, 1] texts. origins: for each of the numbers that is one of an
    input, as it came, that input and its place there."""

    value: str
    width: int
    text: bool = False
    origins: tuple[tuple[str, int] | None, ...] = ()


@dataclass
class Scope:
    """`told`: what the user says of input columns (--input). `choices`: texts that an input column may hold, and
    `categories`: numbers that a place in one may."""

    graph: Graph
    told: Mapping[str, Mapping[str, Any]]
    batch: int | str = BATCH
    columns: dict[str, Column] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    categories: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    produced: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def number(self, stage: SavedStage, name: str, width: int | None = None) -> Column:
        """The column of that name; one that nothing has made is an input of the model.

        width: what the stage wants, None where it takes any; then an input is one value wide unless told.
        """
        if name not in self.columns:
            shape = self.told.get(name, {}).get("shape")
            size = int(shape[-1]) if shape else width or 1
            given = self.graph.input(name, "float32", [self.batch, size], name)
            wide = self.graph.node("Cast", [given], name=f"{name}/double", to=11)
            self.columns[name] = Column(wide, size, origins=tuple((name, place) for place in range(size)))
        found = self.columns[name]
        if found.text:
            raise Refused(f"the column {name} is text, and {stage.kind} wants numbers", node=stage.uid, op=stage.kind)
        if width is not None and found.width != width:
            raise Refused(
                f"{name} is {found.width} wide, and {stage.kind} wants {width}", node=stage.uid, op=stage.kind
            )
        return found

    def text(self, stage: SavedStage, name: str, choices: list[str]) -> Column:
        if name not in self.columns:
            given = self.graph.input(name, "str", [self.batch, 1], name)
            self.columns[name] = Column(given, 1, text=True)
            self.choices[name] = choices
        found = self.columns[name]
        if not found.text:
            raise Refused(f"the column {name} is not text", kind="unsupported", node=stage.uid, op=stage.kind)
        return found

    def tell(self, column: Column, place: int, values: list[float]) -> None:
        """Of the column's number at that place nothing but these is known: of inputs, others are not made up."""
        origin = column.origins[place] if place < len(column.origins) else None
        if origin is not None:
            self.categories.setdefault(origin[0], {})[str(origin[1])] = [float(each) for each in values]

    def put(self, name: str, value: str, width: int, origins: tuple[tuple[str, int] | None, ...] = ()) -> None:
        self.columns[name] = Column(value, width, origins=origins)
        self.produced.append(name)

    def constant(self, array: Any, name: str) -> str:
        return self.graph.constant(np.asarray(array, np.float64), name)

    def node(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        return self.graph.node(op, inputs, name=name, **attributes)

    def ml(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        return self.graph.node(op, inputs, name=name, domain=ML, **attributes)
