"""Kaldi's files, text and binary, token by token (the formats of io-funcs and matrix I/O in Kaldi's public docs).

In binary a number does not say whether it is an int or a float, so raw bytes are kept until someone asks. Every size is
held against the bytes that are left.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray

Array = NDArray[np.float32]

_NNET = b"<Nnet3>"
_MAX_TOKEN = 256
# Tokens that are followed by a vector of ints; it looks like a number in binary.
_INT_VECTORS = frozenset(
    ("<TimeOffsets>", "<RequiredTimeOffsets>", "<AllTimeOffsets>", "<Offsets>", "<ColumnMap>", "<Sizes>", "<Context>")
)
_PAIRS = frozenset(["<Offsets>"])


class Field:
    """The value behind a token: text, the raw bytes of a number, a bool, or an array."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def number(self, token: str, kind: str) -> float:
        value = self.value
        if isinstance(value, bytes):
            form = {4: "<i" if kind == "int" else "<f", 8: "<q" if kind == "int" else "<d"}[len(value)]
            return float(struct.unpack(form, value)[0])
        try:
            return float(value)
        except (TypeError, ValueError):
            raise Refused(f"{token} should be a number, and is {str(value)[:40]!r}") from None


class Component:
    """One component as it stands in the file: its type and its fields. Fields that training needs are read over."""

    def __init__(self, name: str, kind: str, fields: Mapping[str, Field]) -> None:
        self.name, self.kind, self._fields = name, kind, fields

    def has(self, token: str) -> bool:
        return f"<{token}>" in self._fields

    def _field(self, token: str) -> Field:
        if f"<{token}>" not in self._fields:
            raise Refused(f"the component lacks <{token}>", node=self.name, op=self.kind)
        return self._fields[f"<{token}>"]

    def integer(self, token: str) -> int:
        return int(self._field(token).number(token, "int"))

    def real(self, token: str) -> float:
        return self._field(token).number(token, "float")

    def flag(self, token: str) -> bool:
        return self.has(token) and self._field(token).value in (True, "T", "true")

    def matrix(self, token: str) -> Array:
        return self._array(token, 2)

    def vector(self, token: str) -> Array:
        return self._array(token, 1)

    def integers(self, token: str) -> list[int]:
        value = self._field(token).value
        if isinstance(value, np.ndarray) and value.ndim == 1:
            return [int(each) for each in value]
        raise Refused(f"<{token}> should be a list of ints", node=self.name, op=self.kind)

    def pairs(self, token: str) -> list[tuple[int, int]]:
        flat = self.integers(token)
        if len(flat) % 2:
            raise Refused(f"<{token}> should be pairs of ints", node=self.name, op=self.kind)
        return list(zip(flat[::2], flat[1::2], strict=True))

    def _array(self, token: str, ndim: int) -> Array:
        value = self._field(token).value
        if isinstance(value, np.ndarray) and value.size == 0:
            return np.zeros((0,) * ndim, np.float32)
        if not isinstance(value, np.ndarray) or value.ndim != ndim:
            what = "a matrix" if ndim == 2 else "a vector"
            raise Refused(f"<{token}> should be {what}", node=self.name, op=self.kind)
        if not np.isfinite(value).all():
            raise Refused(f"<{token}> holds values that are not finite", node=self.name, op=self.kind)
        return value.astype(np.float32)


def read(path: Path) -> tuple[list[str], dict[str, Component]]:
    """(the config lines, component name -> component) of the nnet3 network in the file.

    A transition model before it and priors behind it are passed over. Raises Refused.
    """
    data = path.read_bytes()
    start = data.find(_NNET)
    if start < 0:
        raise Refused(f"{path.name} holds no nnet3 network (<Nnet3>)", hint="nnet1 and nnet2 models are not read")
    reader: _Reader = (_Binary if data[:2] == b"\x00B" else _Text)(data, start + len(_NNET))
    lines = reader.config()
    reader.expect("<NumComponents>")
    count = int(reader.value("<NumComponents>").number("<NumComponents>", "int"))
    components: dict[str, Component] = {}
    for _ in range(count):
        reader.expect("<ComponentName>")
        name = reader.word()
        components[name] = _component(reader, name)
    reader.expect("</Nnet3>")
    return lines, components


def _component(reader: _Reader, name: str) -> Component:
    opening = reader.token()
    if not re.fullmatch(r"<\w+Component>", opening):
        raise Refused(f"the component {name} begins with {opening!r}, which is no type of component", node=name)
    kind, closing = opening[1:-1], f"</{opening[1:]}"
    fields: dict[str, Field] = {}
    while (token := reader.token()) != closing:
        if not token.startswith("<"):
            raise Refused(f"{token[:40]!r} stands where a token of {kind} should", node=name, op=kind)
        # A component inside this one (CompositeComponent, a convolution's model) is read as fields of its own.
        fields.setdefault(token, reader.value(token))
        while not reader.at_token():
            reader.value(token)  # of two numbers behind one token the second matters to training only
    return Component(name, kind, fields)


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def config(self) -> list[str]:
        """The lines up to an empty one, or up to the first token."""
        lines: list[str] = []
        while True:
            end = self.data.find(b"\n", self.at)
            if end < 0:
                raise Refused("the file ends within the network's description", hint="is the copy complete?")
            line = self.data[self.at : end].decode("utf-8", errors="replace").strip()
            if line.startswith("<NumComponents>"):
                return lines
            self.at = end + 1
            if line and not line.startswith("#"):
                lines.append(line.partition("#")[0].strip())
            elif lines:
                return lines

    def word(self) -> str:
        while self.data[self.at : self.at + 1] in (b" ", b"\n", b"\t", b"\r"):
            self.at += 1
        end = self.at
        while end < len(self.data) and self.data[end] not in b" \n\t\r":
            end += 1
            if end - self.at > _MAX_TOKEN:
                raise Refused(f"no token stands at byte {self.at}")
        if end == self.at:
            raise Refused("the file ends too early", hint="is the download or copy complete?")
        found = self.data[self.at : end].decode("utf-8", errors="replace")
        self.at = min(end + 1, len(self.data))
        return found

    def token(self) -> str:
        return self.word()

    def at_token(self) -> bool:
        rest = re.compile(rb"\s*(<|$)").match(self.data, self.at)
        return rest is not None

    def expect(self, token: str) -> None:
        found = self.word()
        if found != token:
            raise Refused(f"{token} should stand at byte {self.at}, and {found[:40]!r} does")

    def value(self, token: str) -> Field:
        raise NotImplementedError


class _Binary(_Reader):
    def value(self, token: str) -> Field:
        head = self.data[self.at : self.at + 3]
        if head[:1] == b"<":
            return Field(None)
        if head[:2] in (b"FM", b"DM", b"FV", b"DV") and head[2:] == b" ":
            return Field(self._dense(head[:2].decode()))
        if head[:1] == b"C" and head[1:2] in (b"M", b"2", b"3"):
            raise Refused(f"{token} is a compressed matrix, which networks do not hold", kind="unsupported")
        if head[:1] in (b"T", b"F"):
            self.at += 1
            return Field(head[:1] == b"T")
        if head[:1] in (b"\x04", b"\x08", b"\x01"):
            if token in _INT_VECTORS:
                return Field(self._ints(token))
            size = head[0]
            return Field(self._take(size + 1)[1:])
        if head[:1].isalpha():  # a name, as in <Type> or <Nonlinearity>
            return Field(self.word())
        raise Refused(f"what follows {token} at byte {self.at} is of no kind that Kaldi writes")

    def _take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise Refused(f"{size:,} bytes should follow at byte {self.at}, and {len(self.data) - self.at:,} are left")
        self.at += size
        return self.data[self.at - size : self.at]

    def _int(self) -> int:
        if self._take(1) != b"\x04":
            raise Refused(f"no size stands at byte {self.at - 1}")
        (found,) = struct.unpack("<i", self._take(4))
        if found < 0:
            raise Refused(f"the size before byte {self.at} is negative")
        return int(found)

    def _dense(self, kind: str) -> Any:
        self.at += 3
        shape = [self._int() for _ in range(2 if kind[1] == "M" else 1)]
        form = np.dtype("<f4" if kind[0] == "F" else "<f8")
        raw = self._take(int(np.prod(shape, dtype=object)) * form.itemsize)
        return np.frombuffer(raw, form).reshape(shape)

    def _ints(self, token: str) -> Any:
        size = self._take(1)[0]
        (count,) = struct.unpack("<i", self._take(4))
        if size != 4 or count < 0:
            raise Refused(f"{token} is no list of 32-bit ints")
        return np.frombuffer(self._take(count * 4 * (2 if token in _PAIRS else 1)), "<i4")


class _Text(_Reader):
    def value(self, token: str) -> Field:
        rest = re.compile(rb"\s*(<|\[)?").match(self.data, self.at)
        if rest and rest[1] == b"<":
            return Field(None)
        if rest and rest[1] == b"[":
            self.at = rest.end()
            return Field(self._array(token))
        return Field(self.word())

    def _array(self, token: str) -> Any:
        end = self.data.find(b"]", self.at)
        if end < 0:
            raise Refused(f"the array behind {token} is not closed", hint="is the download or copy complete?")
        body = self.data[self.at : end]
        self.at = end + 1
        try:
            if token in _INT_VECTORS and b"." not in body:
                return np.array([int(each) for each in re.split(rb"[\s,]+", body.strip()) if each], np.int32)
            rows = [np.array(line.split(), np.float64) for line in body.split(b"\n") if line.strip()]
        except ValueError as error:
            raise Refused(f"the array behind {token} holds what is no number: {error}") from None
        if not rows:
            return np.zeros((0,))
        if len({len(row) for row in rows}) > 1:
            raise Refused(f"the rows of the matrix behind {token} are of different lengths")
        # A vector stands on the line of its bracket, a matrix begins on the next.
        return rows[0] if len(rows) == 1 and not body.lstrip(b" \t\r").startswith(b"\n") else np.stack(rows)


def tokens(text: str) -> Iterator[str]:
    """Of a descriptor: names, numbers, brackets and commas."""
    at = 0
    for found in re.finditer(r"\s*([A-Za-z_][\w.\-/:@]*|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[(),])", text):
        if found.start() != at:
            break
        at = found.end()
        yield found[1]
    if text[at:].strip():
        raise Refused(f"{text[at : at + 20]!r} in {text[:80]!r} is no part of a descriptor")
