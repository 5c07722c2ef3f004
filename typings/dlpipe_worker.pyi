# What mypy sees of the worker runtime (dlpipe/toolchains/runtime/dlpipe_worker.py), which speaks Python 3.6 itself.
from collections.abc import Callable
from typing import Any, TypeVar

_Operation = TypeVar("_Operation", bound=Callable[[Request], Any])

def operation(function: _Operation) -> _Operation: ...

class Refused(Exception):
    event: dict[str, Any]
    def __init__(
        self, message: str, kind: str = ..., hint: str | None = ..., node: str | None = ..., op: str | None = ...
    ) -> None: ...

class Request:
    operation: str
    params: dict[str, Any]
    inputs: dict[str, str]
    resources: dict[str, str]
    out: str
    def progress(self, message: str, fraction: float | None = ...) -> None: ...
    def hand_on(self, name: str, file: str) -> None: ...
    def note(self, message: str, level: str = ..., **where: Any) -> None: ...
