"""ONNX operator -> what writes it."""

from __future__ import annotations

from collections.abc import Callable

from .text import Text

Writer = Callable[[Text], None]
WRITERS: dict[str, Writer] = {}


def writes(*ops: str) -> Callable[[Writer], Writer]:
    """The decorated function writes nodes of these operators: `text.node` is the one at hand."""

    def register(writer: Writer) -> Writer:
        WRITERS.update(dict.fromkeys(ops, writer))
        return writer

    return register
