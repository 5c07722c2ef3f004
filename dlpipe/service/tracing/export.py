"""The one place that imports OpenTelemetry: spans, sent to a collector by OTLP over HTTP, as OTEL_* variables say."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dlpipe import __version__
from dlpipe.errors import ToolMissing, UserError, how_to_add
from dlpipe.service.tracing.spans import Attributes, Kind

CLOSE_SECONDS = 2.0  # for what is left to be sent; a collector that does not answer keeps nobody from ending
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class Exporting:
    """A thread sends spans that have ended; what it cannot send is dropped. Raises UserError, ToolMissing."""

    def __init__(self, service: str) -> None:
        _check()
        try:
            from opentelemetry import context, trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError as error:
            message = f"OpenTelemetry is not installed, which the OTEL_* variables ask for: {error}"
            raise ToolMissing(message, hint=how_to_add("otel")) from error
        self._context, self._trace = context, trace
        self._propagator = TraceContextTextMapPropagator()
        named = Resource.create().attributes
        own = {"service.version": __version__}
        if not os.environ.get("OTEL_SERVICE_NAME") and "service.name=" not in os.environ.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        ):
            own["service.name"] = service
        self._provider = TracerProvider(resource=Resource({**named, **own}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("dlpipe", __version__)

    @contextmanager
    def open(self, name: str, kind: Kind, attributes: Attributes, parent: str | None) -> Iterator[Any]:
        """An exception that leaves it marks it by its type alone: its text may hold names."""
        above = self._propagator.extract({"traceparent": parent}) if parent is not None else None
        kinds = self._trace.SpanKind
        given = {"server": kinds.SERVER, "consumer": kinds.CONSUMER, "internal": kinds.INTERNAL}[kind]
        own = self._tracer.start_span(name, above, given, attributes)
        token = self._context.attach(self._trace.set_span_in_context(own))
        try:
            yield own
        except BaseException as error:
            self.failed(own, type(error).__name__)
            raise
        finally:
            self._context.detach(token)
            own.end()

    def was(self, above: Any, name: str, begin: float, end: float, attributes: Attributes, error: str | None) -> None:
        """See `Span.was`."""
        context = self._trace.set_span_in_context(above)
        own = self._tracer.start_span(name, context, attributes=attributes, start_time=int(begin * 1e9))
        if error is not None:
            self.failed(own, error)
        own.end(int(max(begin, end) * 1e9))

    def failed(self, own: Any, error: str) -> None:
        own.set_attribute("error.type", error)
        own.set_status(self._trace.StatusCode.ERROR)

    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier)
        return carrier.get("traceparent")

    def close(self) -> None:
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


def _check() -> None:
    """Raises UserError for what is asked for and is not there."""
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter not in ("", "otlp"):
        raise UserError(f"OTEL_TRACES_EXPORTER={exporter} is none that dlpipe has", hint="otlp, or none")
    protocol = next((found for name in _PROTOCOLS if (found := os.environ.get(name))), "http/protobuf")
    if protocol != "http/protobuf":
        raise UserError(f"dlpipe sends traces by http/protobuf, not by {protocol}", hint=f"unset {_PROTOCOLS[1]}")
