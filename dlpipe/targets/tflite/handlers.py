"""The operators that are lowered: name -> function of (scope, node)."""

from collections.abc import Callable

from .reading import Node
from .scope import Scope

Handler = Callable[[Scope, Node], None]
HANDLERS: dict[str, Handler] = {}


def handles(*operators: str) -> Callable[[Handler], Handler]:
    def register(function: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(operators, function))
        return function

    return register
