"""Spans go out by the protocol of collectors, OTLP."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from handler_bench import HandlerBench

from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.tracing import Tracing

pytest.importorskip(
    "opentelemetry.exporter.otlp.proto.http", reason="there is no OTLP exporter here"
)

pytestmark = pytest.mark.one_run(reason="a replay has spans of its own")


class Collector(ThreadingHTTPServer):
    """Takes spans over HTTP, as protobuf."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.requests: list[Any] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/traces"


class _Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        assert self.headers["Content-Type"] == "application/x-protobuf"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def make_provider(endpoint: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "orders"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    return provider


async def handle(value: Any, ctx: Any) -> str:
    return await ctx.durable_execute_async(lambda: "charged", durable_id="charge")


def test_a_collector_gets_the_spans_of_an_invocation(
    executor: CallExecutor, collector: Collector
) -> None:
    tracing = Tracing(partial(make_provider, collector.endpoint))
    tracing.open()
    HandlerBench(handle, executor, observers=[tracing]).run()
    tracing.close()  # what waits is sent

    scopes = [
        scope
        for _, request in collector.requests  # one or two: what waits is sent now and then
        for resource in request.resource_spans
        for scope in resource.scope_spans
    ]
    spans = {span.name: span for scope in scopes for span in scope.spans}
    call, run = spans["durable.call charge"], spans["durable.invocation"]
    told = {one.key: one.value for one in call.attributes}

    assert {path for path, _ in collector.requests} == {"/v1/traces"}
    assert {scope.scope.name for scope in scopes} == {"pyflink_durable"}
    assert (call.trace_id, call.parent_span_id) == (run.trace_id, run.span_id)
    assert told["durable.call.slot"].int_value == 0
    assert told["durable.call.status"].string_value == "SUCCEEDED"
