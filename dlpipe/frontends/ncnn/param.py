"""The .param file: one line per layer, with its blobs and its numbered parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from dlpipe_worker import Refused

MAGIC = "7767517"
ARRAY = -23300  # the number of an array parameter is this less its own
MAX_INT = (1 << 31) - 1
_MAX_ID = 32
_MAX_BYTES = 64 << 20
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\Z")

Value = int | float | str | list[int | float]


@dataclass
class Layer:
    """`asked`: the parameters that somebody read."""

    type: str
    name: str
    bottoms: list[str]
    tops: list[str]
    params: dict[int, Value]
    asked: set[int] = field(default_factory=set)

    def fail(self, reason: str, kind: str = "bad-model", hint: str | None = None) -> NoReturn:
        raise Refused(f"layer {self.name} ({self.type}): {reason}", kind, node=self.name, op=self.type, hint=hint)

    def integer(self, number: int, default: int = 0) -> int:
        value = self._get(number, default)
        if isinstance(value, bool) or not isinstance(value, int):
            self.fail(f"parameter {number} is {value!r}, not a whole number")
        return value

    def real(self, number: int, default: float = 0.0) -> float:
        value = self._get(number, default)
        if not isinstance(value, (int, float)):
            self.fail(f"parameter {number} is {value!r}, not a number")
        return float(value)

    def array(self, number: int) -> list[int | float]:
        """Absent: empty."""
        value = self._get(number, [])
        if not isinstance(value, list):
            self.fail(f"parameter {number} is {value!r}, not an array")
        return value

    def integers(self, number: int) -> list[int]:
        found = [each for each in self.array(number) if isinstance(each, int)]
        if len(found) != len(self.array(number)):
            self.fail(f"parameter {number} is not an array of whole numbers")
        return found

    def _get(self, number: int, default: Value) -> Value:
        self.asked.add(number)
        return self.params.get(number, default)


def read_param(path: Path) -> list[Layer]:
    """The layers in order. Raises Refused for text that is no ncnn network, naming the line."""
    if path.stat().st_size > _MAX_BYTES:
        raise Refused(f"{path.name} is larger than any network's description")
    lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
    if not lines or lines[0].strip() != MAGIC:
        raise Refused(
            f"{path.name} does not begin with ncnn's {MAGIC}",
            hint="networks of before 2017 have no such line: ncnnoptimize or a newer converter writes it",
        )
    counts = lines[1].split() if len(lines) > 1 else []
    if len(counts) != 2 or not all(each.isascii() and each.isdigit() and len(each) < 8 for each in counts):
        raise Refused(f"line 2 of {path.name} does not say how many layers and blobs there are")
    wanted = int(counts[0])
    found = [_layer(line, number) for number, line in enumerate(lines[2:], 3) if line.strip()]
    if len(found) != wanted:
        raise Refused(
            f"{path.name} has {len(found):,} layers and says that there are {wanted:,}",
            hint="is the download or copy complete?",
        )
    _check_blobs(found)
    return found


def _layer(line: str, number: int) -> Layer:
    def fail(reason: str) -> NoReturn:
        raise Refused(f"line {number} of the .param file: {reason}")

    words = line.split()
    if len(words) < 4 or not all(each.isascii() and each.isdigit() and len(each) < 6 for each in words[2:4]):
        fail("it is no layer: a type, a name, and how many blobs go in and out")
    bottoms, tops = int(words[2]), int(words[3])
    if len(words) < 4 + bottoms + tops:
        fail(f"{bottoms} + {tops} blobs are announced and fewer are there")
    blobs, rest = words[4 : 4 + bottoms + tops], words[4 + bottoms + tops :]
    params: dict[int, Value] = {}
    for word in rest:
        key, _, text = word.partition("=")
        if not re.fullmatch(r"-?\d{1,6}", key) or not text:
            fail(f"{word[:60]!r} is no parameter")
        index = int(key)
        index, value = (ARRAY - index, _array(text, fail)) if index <= ARRAY else (index, _value(text, fail))
        if not 0 <= index < _MAX_ID:
            fail(f"there is no parameter {index}")
        params[index] = value
    return Layer(words[0], words[1], blobs[:bottoms], blobs[bottoms:], params)


def _array(text: str, fail: Callable[[str], NoReturn]) -> list[int | float]:
    count, *items = text.split(",")
    if count != str(len(items)):
        fail(f"an array of {count[:20]} numbers has {len(items):,}")
    return [_number(each, fail) for each in items]


def _value(text: str, fail: Callable[[str], NoReturn]) -> Value:
    if text.startswith('"'):
        return text.strip('"')
    if "," in text:  # newer files write arrays so
        return [_number(each, fail) for each in text.split(",")]
    return _number(text, fail)


def _number(text: str, fail: Callable[[str], NoReturn]) -> int | float:
    if not _NUMBER.match(text):
        fail(f"{text[:40]!r} is no number")
    if "." in text or "e" in text.lower():
        return float(text)
    value = int(text[:24])
    if abs(value) > MAX_INT + 1:
        fail(f"the number {text[:40]} is too large")
    return value


def _check_blobs(layers: list[Layer]) -> None:
    made: set[str] = set()
    for layer in layers:
        for blob in layer.bottoms:
            if blob not in made:
                layer.fail(f"it reads the blob {blob!r}, which no layer before it makes")
        for blob in layer.tops:
            if blob in made:
                layer.fail(f"it makes the blob {blob!r}, which is there already")
            made.add(blob)
