"""The attributes of a node: text in the file, read by type, and what nobody read is known."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from dlpipe_worker import Refused

MAX_DIMS = 64


class Attributes:
    """Each reader marks its key; `unread` lists the rest, so that none is passed over unseen. Readers raise Refused."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return self._get(key) is not None

    def text(self, key: str, default: str | None = None) -> str:
        found = self._get(key)
        if found is None:
            if default is None:
                raise Refused(f"attribute {key!r} is missing")
            return default
        return found

    def choice(self, key: str, *options: str, default: str | None = None) -> str:
        """One of `options`: others are refused as unsupported."""
        found = self.text(key, default)
        if found not in options:
            raise Refused(f"attribute {key} = {found!r} is not supported", kind="unsupported")
        return found

    def flag(self, key: str, default: bool = False) -> bool:
        found = self.text(key, str(default)).lower()
        if found not in ("true", "false", "1", "0"):
            raise Refused(f"attribute {key} = {found!r} is neither true nor false")
        return found in ("true", "1")

    def whole(self, key: str, default: int | None = None) -> int:
        found = self.whole_or_none(key) if key in self else default
        if found is None:
            raise Refused(f"attribute {key!r} is missing")
        return found

    def whole_or_none(self, key: str) -> int | None:
        text = self._get(key)
        return None if text is None else _whole(key, text.rstrip("lL"))

    def real(self, key: str, default: float | None = None) -> float:
        text = self._get(key)
        if text is None:
            if default is None:
                raise Refused(f"attribute {key!r} is missing")
            return default
        return _real(key, text)

    def dims(self, key: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """A tuple of whole numbers, as in "(3, 3)"."""
        found = self.dims_or_none(key)
        if found is None:
            return default
        if None in found:
            raise Refused(f"attribute {key} = {self._values[key]!r} has no number everywhere")
        return tuple(each for each in found if each is not None)

    def dims_or_none(self, key: str) -> tuple[int | None, ...] | None:
        """A tuple whose members may be None; None where the whole attribute is."""
        text = self._get(key)
        if text is None:
            return None
        return tuple(None if part == "None" else _whole(key, part.rstrip("lL")) for part in _parts(key, text))

    def reals(self, key: str, default: tuple[float, ...] = ()) -> tuple[float, ...]:
        text = self._get(key)
        return default if text is None else tuple(_real(key, part) for part in _parts(key, text))

    def ignore(self, *keys: str) -> None:
        """These say nothing about the numbers that come out."""
        self._read.update(keys)

    def unread(self) -> list[str]:
        return sorted(key for key in self._values if key not in self._read and not key.startswith("__"))

    def _get(self, key: str) -> str | None:
        self._read.add(key)
        found = self._values.get(key)
        return None if found in (None, "None", "") else found


def _parts(key: str, text: str) -> list[str]:
    inner = text.strip()
    if inner[:1] in ("(", "[") and inner[-1:] in (")", "]"):
        inner = inner[1:-1]
    parts = [part.strip() for part in inner.split(",")]
    if parts and not parts[-1]:
        parts.pop()  # "(3,)" and "()"
    if len(parts) > MAX_DIMS:
        raise Refused(f"attribute {key!r} has {len(parts)} members")
    return parts


def _whole(key: str, text: str) -> int:
    try:
        found = int(text)
    except ValueError:
        found = _from_float(key, text)
    if abs(found) >= 1 << 62:
        raise Refused(f"attribute {key} = {text!r} is out of range")
    return found


def _from_float(key: str, text: str) -> int:
    """Some tools wrote "2.0"."""
    value = _real(key, text)
    if value != value or abs(value) >= 1 << 62 or value != int(value):
        raise Refused(f"attribute {key} = {text!r} is no whole number")
    return int(value)


def _real(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(ast.literal_eval(text))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, OverflowError) as error:
        raise Refused(f"attribute {key} = {text[:60]!r} is no number") from error
