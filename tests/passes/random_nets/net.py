"""A graph that grows node by node, in ONNX's textual form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

Shape = tuple[int | str, ...]  # free dims by name


@dataclass(frozen=True)
class Value:
    name: str
    shape: Shape


class Net:
    """`draw` decides; `values` are what later nodes may read."""

    def __init__(self, draw: Any, opset: int) -> None:
        self.draw = draw
        self.opset = opset
        self.values: list[Value] = []
        self.inputs: list[Value] = []
        self.lines: list[str] = []
        self.weights: dict[str, list[int]] = {}
        self.numbers: dict[str, str] = {}
        self._count = 0

    def name(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def input(self, shape: Shape) -> Value:
        value = Value(f"x{len(self.inputs)}", shape)
        self.inputs.append(value)
        self.values.append(value)
        return value

    def op(self, operator: str, *operands: Value | str, shape: Shape, outputs: int = 1, **attributes: Any) -> Value:
        """One node; its first output. The value is not offered to later nodes: see `keep`."""
        names = [self.name() for _ in range(outputs)]
        given = ", ".join(each if isinstance(each, str) else each.name for each in operands)
        written = ", ".join(f"{key} = {_text(value)}" for key, value in attributes.items())
        self.lines.append(f"{', '.join(names)} = {operator}{f'<{written}>' if written else ''}({given})")
        return Value(names[0], shape)

    def keep(self, value: Value) -> Value:
        self.values.append(value)
        return value

    def weight(self, *shape: int, positive: bool = False) -> str:
        """Of a size that keeps products of the size of their factors."""
        name = f"w{len(self.weights)}{'_positive' if positive else ''}"
        self.weights[name] = list(shape)
        return name

    def number(self, value: float) -> str:
        return self._stored("float", f"{{{value!r}}}")

    def ints(self, *values: int) -> str:
        return self._stored(f"int64[{len(values)}]", f"{{{', '.join(map(str, values))}}}")

    def _stored(self, kind: str, value: str) -> str:
        """A weight, or a Constant node."""
        if self.one_of([False, False, True]):
            name = self.name()
            self.lines.append(f"{name} = Constant<value = {kind} {value}>()")
            return name
        name = f"c{len(self.numbers)}"
        self.numbers[name] = f"{kind} {name} = {value}"
        return name

    def one_of(self, choices: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(list(choices)))

    def pick(self, *, rank: int | None = None, least: int = 1, last: int | None = None) -> Value | None:
        """One of the values of that rank (or of at least `least`), with a last dim that `last` divides."""
        found = [value for value in self.values if _fits(value.shape, rank, least, last)]
        return self.one_of(found[-8:]) if found else None

    def case(self) -> dict[str, Any]:
        """For `trials/worker.py`: with one to three of the values as outputs."""
        count = self.one_of([1, 1, 2, 3])
        chosen = [self.values[-1]] + [self.one_of(self.values) for _ in range(count - 1)]
        outputs = [self.op("Mul", value, self.number(1.5), shape=value.shape) for value in chosen]
        head = f"({_ports(self.inputs)}) => ({_ports(outputs)})"
        numbers = f"<{', '.join(self.numbers.values())}>" if self.numbers else ""
        body = f"{head} {numbers} {{ {'  '.join(self.lines)} }}"
        text = f'<ir_version: 10, opset_import: ["" : {self.opset}]> g {body}'
        return {"text": text, "weights": self.weights, "scale": 0.5}


def size(shape: Shape) -> int:
    """Of a shape without free dims."""
    return int(np.prod([each for each in shape if isinstance(each, int)] or [1]))


def _fits(shape: Shape, rank: int | None, least: int, last: int | None) -> bool:
    if len(shape) != rank and rank is not None:
        return False
    if len(shape) < least:
        return False
    return last is None or (isinstance(shape[-1], int) and shape[-1] % last == 0)


def _ports(values: Sequence[Value]) -> str:
    return ", ".join(f"float[{','.join(map(str, value.shape))}] {value.name}" for value in values)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return f"[{', '.join(map(str, value))}]" if isinstance(value, (list, tuple)) else str(value)
