"""The table of operators: name in the file -> what writes it in ONNX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .attributes import Attributes
from .net import Net


@dataclass(frozen=True)
class Layer:
    """A node to be converted. inputs: values of the graph; unknown: which of them are zeros of a shape left open."""

    name: str
    op: str
    attributes: Attributes
    inputs: list[str]


Handler = Callable[[Net, Layer], "str | list[str]"]


@dataclass(frozen=True)
class Entry:
    """note: what of the operator is not covered; then the coverage counts as partial."""

    handler: Handler
    note: str | None


TABLE: dict[str, Entry] = {}


def handles(*names: str, note: str | None = None) -> Callable[[Handler], Handler]:
    """Register a handler under the names of an operator (MXNet has aliases of most). It returns the value of each
    output, and raises Refused for what it does not cover; an attribute that it leaves unread is refused as well."""

    def register(handler: Handler) -> Handler:
        for name in names:
            assert name not in TABLE, name
            TABLE[name] = Entry(handler, note)
        return handler

    return register
