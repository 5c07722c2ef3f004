"""Which function writes which operator. A file of handlers registers its own when it is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .reading import Operator
from .scope import Scope

Handler = Callable[[Scope, Operator], None]


@dataclass(frozen=True)
class Handling:
    write: Handler
    note: str | None  # what of the operator is refused


HANDLERS: dict[str, Handling] = {}


def handles(*names: str, note: str | None = None) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        for name in names:
            assert name not in HANDLERS, name
            HANDLERS[name] = Handling(handler, note)
        return handler

    return register
