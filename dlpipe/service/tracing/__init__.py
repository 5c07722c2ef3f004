"""Traces in OpenTelemetry's terms: a span for each request, job and stage (docs/service.md). Nothing of it is loaded
unless the operator's OTEL_* variables ask for it.

`spans` is what the rest of the service knows; only `export` imports OpenTelemetry.
"""
