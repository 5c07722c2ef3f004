"""Spans, or nothing where tracing is off: whoever opens one need not ask."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from dlpipe.service.tracing.export import Exporting

Kind = Literal["server", "consumer", "internal"]
Attributes = Mapping[str, str | int | float | bool]
KEYS = (
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_HEADERS",
)  # hold what a collector wants of whoever sends
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_on: list[Exporting] = []  # one at most


class Span:
    """`own`: OpenTelemetry's, None where tracing is off."""

    def __init__(self, own: Any = None) -> None:
        self._own = own

    def set(self, attributes: Attributes) -> None:
        if self._own is not None:
            self._own.set_attributes(attributes)

    def name(self, name: str) -> None:
        if self._own is not None:
            self._own.update_name(name)

    def failed(self, error: str) -> None:
        """error: its type, as `error.type`: what it says may hold names."""
        if self._own is not None:
            _on[0].failed(self._own, error)

    def was(self, name: str, begin: float, end: float, attributes: Attributes, error: str | None = None) -> None:
        """A span below this one that is over. begin, end: seconds since 1970."""
        if self._own is not None:
            _on[0].was(self._own, name, begin, end, attributes, error)


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the standard variables ask for traces: an endpoint for OTLP, or the exporter by name."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporter != "none" and bool(exporter or any(environment.get(name) for name in _ENDPOINTS))


def start(service: str) -> bool:
    """Whether tracing is on, from now to `stop`. service: this process' name, where the environment gives none.
    Raises UserError, ToolMissing."""
    if not wanted():
        return False
    from dlpipe.service.tracing.export import Exporting

    _on.append(Exporting(service))
    return True


def stop() -> None:
    """What is not sent yet is sent, as long as that takes no more than a few seconds."""
    while _on:
        _on.pop().close()


@contextmanager
def span(name: str, kind: Kind, attributes: Attributes, *, parent: str | None = None) -> Iterator[Span]:
    """The current one of this thread or task meanwhile. parent: a `traceparent` (W3C Trace Context), of whatever
    origin; what is none begins a trace."""
    if not _on:
        yield Span()
        return
    with _on[0].open(name, kind, attributes, parent) as own:
        yield Span(own)


def traceparent() -> str | None:
    """Of the current span."""
    return _on[0].traceparent() if _on else None


def ids() -> dict[str, str]:
    """`trace_id` and `span_id` of the current span, for a log."""
    found = traceparent()
    return dict(zip(("trace_id", "span_id"), found.split("-")[1:3], strict=True)) if found else {}
