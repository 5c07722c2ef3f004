"""Which function converts which layer. A file of handlers enters its own when it is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

_Handler = TypeVar("_Handler", bound=Callable[..., Any])


class Table(Generic[_Handler]):
    """Called with the types of a layer, it is the decorator that enters a handler of them."""

    def __init__(self) -> None:
        self.handlers: dict[str, _Handler] = {}
        self.limits: dict[str, str] = {}  # what of the layer its handler refuses, in words

    def __call__(self, *types: str, limits: str | None = None) -> Callable[[_Handler], _Handler]:
        def enter(handler: _Handler) -> _Handler:
            for each in types:
                assert each not in self.handlers, each
                self.handlers[each] = handler
                if limits:
                    self.limits[each] = limits
            return handler

        return enter
