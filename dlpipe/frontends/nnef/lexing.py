"""The words of NNEF's text, and what reads them one by one."""

from __future__ import annotations

import re
from typing import NoReturn

from dlpipe_worker import Refused

_TOKEN = re.compile(
    r"(?P<space>\s+|\#[^\n]*)|(?P<number>\d+(\.\d+)?([eE][+-]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z_0-9]*)"
    r"|(?P<string>'[^'\n]*'|\"[^\"\n]*\")|(?P<mark>->|<=|>=|==|!=|&&|\|\||[-+*/^<>!=(){}\[\]:;,?.])"
)
_DEEPEST = 60  # of expressions within expressions
_MOST_TOKENS = 20_000_000

Token = tuple[str, str, int]  # kind, text, line


def tokens(text: str) -> list[Token]:
    """Raises Refused, naming the line."""
    found: list[Token] = []
    place, line = 0, 1
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise Refused(f"line {line} of the graph has {text[place : place + 12]!r}, which NNEF does not know")
        kind, word = match.lastgroup or "", match.group()
        if kind != "space":
            found.append((kind, word, line))
        if len(found) > _MOST_TOKENS:
            raise Refused("the graph is longer than any network is")
        line += word.count("\n")
        place = match.end()
    found.append(("end", "", line))
    return found


class Reader:
    """One pass over the tokens of a text. Every refusal names its line."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0

    def _peek(self, ahead: int = 0) -> str:
        return self._tokens[min(self._at + ahead, len(self._tokens) - 1)][1]

    def _kind(self) -> str:
        return self._tokens[self._at][0]

    def fail(self, wanted: str) -> NoReturn:
        _, word, line = self._tokens[self._at]
        raise Refused(f"line {line} of the graph has {word or 'its end'!r} where {wanted} is due")

    def _next(self) -> str:
        word = self._peek()
        if self._kind() == "end":
            self.fail("more")
        self._at += 1
        return word

    def _take(self, word: str) -> bool:
        if self._peek() == word and self._kind() in ("mark", "name"):
            self._at += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            self.fail(repr(word))

    def _name(self) -> str:
        if self._kind() != "name":
            self.fail("a name")
        return self._next()

    def _nest(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            self.fail("less deep an expression")
