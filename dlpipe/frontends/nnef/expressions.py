"""Expressions of NNEF's text: literals, names, calls, arrays, tuples, comprehensions, operators."""

from __future__ import annotations

from typing import Any

from .lexing import Reader

TYPES = {"scalar", "integer", "logical", "string", "?"}
_BINARY = (("||", "&&"), ("in",), ("<", "<=", ">", ">=", "==", "!="), ("+", "-"), ("*", "/"), ("^",))

Node = tuple[Any, ...]  # an expression: what it is, then its parts


class Expressions(Reader):
    """`expression` reads one; Raises Refused."""

    def expression(self) -> Node:
        self._nest()
        value = self._binary(0)
        if self._take("if"):
            condition = self._binary(0)
            self._expect("else")
            value = ("if", condition, value, self.expression())
        self._depth -= 1
        return value

    def _binary(self, level: int) -> Node:
        if level == len(_BINARY):
            return self._unary()
        left = self._binary(level + 1)
        while self._peek() in _BINARY[level] and self._kind() in ("mark", "name"):
            line = self._tokens[self._at][2]
            op = self._next()
            left = ("binary", op, left, self._binary(level + 1), line)
        return left

    def _unary(self) -> Node:
        if self._kind() == "mark" and self._peek() in ("-", "+", "!"):
            self._nest()
            line = self._tokens[self._at][2]
            op = self._next()
            value = self._unary()
            self._depth -= 1
            return ("unary", op, value, line)
        return self._subscripts(self._primary())

    def _subscripts(self, value: Node) -> Node:
        while self._take("["):
            first = None if self._peek() == ":" else self.expression()
            if self._take(":"):
                last = None if self._peek() == "]" else self.expression()
                value = ("range", value, first, last)
            else:
                value = ("item", value, first)
            self._expect("]")
        return value

    def _primary(self) -> Node:
        kind, word, line = self._tokens[self._at]
        if kind == "number":
            self._next()
            try:
                return ("value", int(word) if word.isdigit() else float(word))
            except ValueError:  # more digits than Python turns into a number
                self.fail("a number")
        if kind == "string":
            return ("value", self._next()[1:-1])
        if kind == "name":
            return self._named(line)
        if self._take("("):
            found, comma = [self.expression()], False
            while self._take(","):
                comma = True
                found.append(self.expression())
            self._expect(")")
            return ("tuple", found) if comma else found[0]
        if not self._take("["):
            self.fail("an expression")
        return self._array()

    def _named(self, line: int) -> Node:
        name = self._name()
        if name in ("true", "false"):
            return ("value", name == "true")
        dtype = None
        if self._peek() == "<" and self._peek(1) in TYPES and self._peek(2) == ">" and self._peek(3) == "(":
            self._next()
            dtype = self._next()
            self._next()
        if not self._take("("):
            return ("name", name, line)
        given: list[Node] = []
        named: dict[str, Node] = {}
        while not self._take(")"):
            if given or named:
                self._expect(",")
            if self._kind() == "name" and self._peek(1) == "=":
                key = self._name()
                self._next()
                named[key] = self.expression()
            elif named:
                self.fail("a named argument")
            else:
                given.append(self.expression())
        return ("call", name, dtype, given, named, line)

    def _array(self) -> Node:
        if self._take("for"):
            loops = []
            while True:
                name = self._name()
                self._expect("in")
                loops.append((name, self._binary(0)))
                if not self._take(","):
                    break
            condition = self._binary(0) if self._take("if") else None
            self._expect("yield")
            value = self.expression()
            self._expect("]")
            return ("for", loops, condition, value)
        found: list[Node] = []
        while not self._take("]"):
            if found:
                self._expect(",")
            found.append(self.expression())
        return ("array", found)
