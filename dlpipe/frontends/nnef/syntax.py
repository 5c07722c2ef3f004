"""NNEF's text, read to a tree: the compositional grammar of the specification, which holds the flat one."""

from __future__ import annotations

from dataclasses import dataclass, field

from dlpipe_worker import Refused

from .expressions import TYPES, Expressions, Node


@dataclass
class Fragment:
    """`body`: assignments (targets, expression); None for an operation declared without one."""

    name: str
    params: list[tuple[str, Node | None]]
    results: list[str]
    body: list[tuple[Node, Node]] | None = None
    dtype: str | None = None  # of `<? = scalar>`


@dataclass
class Document:
    extensions: list[list[str]] = field(default_factory=list)
    fragments: dict[str, Fragment] = field(default_factory=dict)
    graph: Fragment = field(default_factory=lambda: Fragment("", [], []))


class Parser(Expressions):
    """Documents and graph.quant."""

    def document(self) -> Document:
        made = Document()
        self._expect("version")
        version = self._next()
        if not version.startswith("1."):
            raise Refused(f"the graph is written in version {version} of NNEF", "unsupported", hint="1.0 is read")
        self._expect(";")
        while self._take("extension"):
            words = []
            while not self._take(";"):
                words.append(self._next())
            made.extensions.append(words)
        while self._peek() == "fragment":
            found = self._fragment()
            made.fragments[found.name] = found
        self._expect("graph")
        name, params, results = self._name(), self._names(), []
        self._expect("->")
        results = self._names()
        made.graph = Fragment(name, [(each, None) for each in params], results, self._body())
        if self._kind() != "end":
            self.fail("the end")
        return made

    def quantisation(self) -> dict[str, Node]:
        """graph.quant: tensor's name -> a call."""
        found: dict[str, Node] = {}
        while self._kind() != "end":
            if self._kind() != "string":
                self.fail("a tensor's name in quotes")
            name = self._next()[1:-1]
            self._expect(":")
            found[name] = self.expression()
            self._expect(";")
        return found

    def _names(self) -> list[str]:
        self._expect("(")
        found: list[str] = []
        while not self._take(")"):
            if found:
                self._expect(",")
            found.append(self._name())
        return found

    def _fragment(self) -> Fragment:
        self._expect("fragment")
        name, dtype = self._name(), None
        if self._take("<"):
            self._expect("?")
            if self._take("="):
                dtype = self._next()
            self._expect(">")
        params = self._declared()
        self._expect("->")
        results = [each for each, _ in self._declared()]
        return Fragment(name, params, results, None if self._take(";") else self._body(), dtype)

    def _declared(self) -> list[tuple[str, Node | None]]:
        self._expect("(")
        found: list[tuple[str, Node | None]] = []
        while not self._take(")"):
            if found:
                self._expect(",")
            name = self._name()
            self._expect(":")
            self._type()
            found.append((name, self.expression() if self._take("=") else None))
        return found

    def _type(self) -> None:
        self._nest()
        if self._take("("):
            self._type()
            while self._take(","):
                self._type()
            self._expect(")")
        elif self._take("tensor"):
            self._expect("<")
            if self._peek() in TYPES:
                self._next()
            self._expect(">")
        elif self._peek() in TYPES:
            self._next()
        else:
            self.fail("a type")
        while self._take("["):
            self._expect("]")
        self._depth -= 1

    def _body(self) -> list[tuple[Node, Node]]:
        self._expect("{")
        found: list[tuple[Node, Node]] = []
        while not self._take("}"):
            target = self._target()
            self._expect("=")
            found.append((target, self.expression()))
            self._expect(";")
        return found

    def _target(self) -> Node:
        """("name", x), or a tuple or array of targets; a tuple needs no brackets."""
        first = self._one_target()
        if self._peek() != ",":
            return first
        found = [first]
        while self._take(","):
            found.append(self._one_target())
        return ("tuple", found)

    def _one_target(self) -> Node:
        for opening, closing, kind in (("(", ")", "tuple"), ("[", "]", "array")):
            if self._take(opening):
                self._nest()
                found: list[Node] = []
                while not self._take(closing):
                    if found:
                        self._expect(",")
                    found.append(self._one_target())
                self._depth -= 1
                return (kind, found)
        return ("name", self._name())


def parse(data: bytes) -> Document:
    """graph.nnef. Raises Refused."""
    return Parser(_text(data)).document()


def parse_quantisation(data: bytes) -> dict[str, Node]:
    """graph.quant. Raises Refused."""
    return Parser(_text(data)).quantisation()


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"the graph is not text: byte {error.start} is no UTF-8") from error
