"""Protocol buffers' text format, read without a schema: what a field means is asked later, by who knows it.

Forks of Caffe add fields of their own, so a net must be readable before all its fields are known. The grammar is the
public text format specification. Nesting is bounded and nothing is copied, so a hostile file costs linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NoReturn

from dlpipe_worker import Refused

MAX_DEPTH = 32  # real nets nest five deep
MAX_BYTES = 64 << 20  # text; ResNet-152 has 120 KB

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*                                     # skipped
      |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      |(?P<word>[A-Za-z0-9_.+\-/]+)
      |(?P<mark>[{}<>\[\]:,;])""",
    re.VERBOSE,
)
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


class Scalar(str):
    """The text of a value: a number, a word, or what stood between quotation marks."""

    quoted = False


class Message(dict[str, "list[Scalar | Message]"]):
    """Field name -> its values, in the order of the file."""

    def messages(self, name: str) -> list[Message]:
        """Raises Refused where the field is a scalar."""
        found = self.get(name, [])
        for each in found:
            if not isinstance(each, Message):
                raise Refused(f"the prototxt gives {name} the value {str(each)[:40]!r}; it is a message")
        return [each for each in found if isinstance(each, Message)]

    def message(self, name: str) -> Message:
        """The last one given, as protocol buffers have it; an empty one where there is none."""
        found = self.messages(name)
        merged = Message()
        for each in found:
            for key, values in each.items():
                merged.setdefault(key, []).extend(values)
        return merged

    def scalars(self, name: str) -> list[Scalar]:
        """Raises Refused where the field is a message."""
        found = self.get(name, [])
        for each in found:
            if isinstance(each, Message):
                raise Refused(f"the prototxt gives {name} as a message; it is a value")
        return [each for each in found if isinstance(each, Scalar)]

    def scalar(self, name: str) -> Scalar | None:
        found = self.scalars(name)
        return found[-1] if found else None


def parse(text: str) -> Message:
    """Raises Refused, with the line, for a text that is not in the format."""
    if len(text) > MAX_BYTES:
        raise Refused("the prototxt is larger than any net's description")
    return _Parser(text).message()


def dump(message: Message, indent: str = "") -> str:
    """The text of a message."""
    lines = []
    for name, values in message.items():
        for each in values:
            if isinstance(each, Message):
                lines.append(f"{indent}{name} {{\n{dump(each, indent + '  ')}{indent}}}\n")
            elif each.quoted:
                escaped = each.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
                lines.append(f'{indent}{name}: "{escaped}"\n')
            else:
                lines.append(f"{indent}{name}: {each}\n")
    return "".join(lines)


def quoted(text: str) -> Scalar:
    """A value between quotation marks."""
    found = Scalar(text)
    found.quoted = True
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._scan()
        self._kind, self._value, self._at = "", "", 0
        self._advance()

    def message(self) -> Message:
        found = Message()
        self._fields(found, "", 0)
        return found

    def _fields(self, into: Message, closing: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            self._fail("messages are nested too deeply")
        while not (self._kind == ("mark" if closing else "end") and self._value == closing):
            if self._kind != "word":
                self._fail(f"expected the name of a field, found {self._shown()}")
            values = into.setdefault(self._value, [])
            self._advance()
            colon = self._skip(":")
            if self._kind == "mark" and self._value in "{<":
                values.append(self._nested(depth))
            elif colon and self._kind == "mark" and self._value == "[":
                self._list(values, depth)
            elif colon:
                values.append(self._scalar())
            else:
                self._fail(f"expected ':' or '{{', found {self._shown()}")
            if not self._skip(","):
                self._skip(";")
        self._advance()

    def _nested(self, depth: int) -> Message:
        closing = "}" if self._value == "{" else ">"
        self._advance()
        inner = Message()
        self._fields(inner, closing, depth + 1)
        return inner

    def _list(self, values: list[Scalar | Message], depth: int) -> None:
        self._advance()
        while not self._skip("]"):
            nested = self._kind == "mark" and self._value in ("{", "<")
            values.append(self._nested(depth) if nested else self._scalar())
            if not self._skip(",") and not (self._kind == "mark" and self._value == "]"):
                self._fail(f"expected ',' or ']', found {self._shown()}")

    def _scalar(self) -> Scalar:
        if self._kind == "string":
            parts = []
            while self._kind == "string":  # strings side by side are one
                parts.append(_unquoted(self._value))
                self._advance()
            return quoted("".join(parts))
        if self._kind != "word":
            self._fail(f"expected a value, found {self._shown()}")
        found = Scalar(self._value)
        self._advance()
        return found

    def _skip(self, mark: str) -> bool:
        if self._kind == "mark" and self._value == mark:
            self._advance()
            return True
        return False

    def _advance(self) -> None:
        self._kind, self._value, self._at = next(self._tokens)

    def _scan(self) -> Iterator[tuple[str, str, int]]:
        at = 0
        while at < len(self._text):
            found = _TOKEN.match(self._text, at)
            if found is None:
                self._at = at
                self._fail(f"cannot read {self._text[at : at + 20]!r}")
            if found.lastgroup:
                yield found.lastgroup, found.group(), at
            at = found.end()
        while True:
            yield "end", "", at

    def _shown(self) -> str:
        return repr(self._value[:40]) if self._kind != "end" else "the end of the file"

    def _fail(self, reason: str) -> NoReturn:
        line = self._text.count("\n", 0, self._at) + 1
        raise Refused(f"the prototxt cannot be read: line {line}: {reason}")


def _unquoted(token: str) -> str:
    return re.sub(
        r"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)", lambda found: _unescaped(found.group(1)), token[1:-1], flags=re.DOTALL
    )


def _unescaped(code: str) -> str:
    if code[0] in "01234567":
        return chr(int(code, 8) & 0xFF)
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    return _SIMPLE_ESCAPES.get(code, code)
