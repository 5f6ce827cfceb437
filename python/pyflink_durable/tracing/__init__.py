"""Spans of invocations and calls, by OpenTelemetry; needs the extra ``otel``."""

from pyflink_durable.tracing.observing import Tracing

__all__ = ["Tracing"]
