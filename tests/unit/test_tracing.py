"""Trace context: from a request's header into the log's, and from there to the batch's span."""

from collections.abc import Iterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.open_telemetry import OpenTelemetry
from streams import tracing
from streams.records import LOG_APPEND_TIME, Headers, Place, Record
from streams.tracing import LINKS_MAX, applying, contexts_of, trace_headers
from web.tracing import trace_requests

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(OpenTelemetry(provider, "postgresql"))
    yield exporter
    tracing.use(None)
    provider.shutdown()


def record(offset: int, *headers: tuple[str, bytes | None]) -> Record:
    sent: Headers = headers
    return Record(Place("t", 0, offset), b"k", b"{}", sent, 0, LOG_APPEND_TIME)


def test_where_tracing_is_off_nothing_is_carried_and_nothing_followed() -> None:
    assert trace_headers() == []
    with applying([record(0, ("traceparent", PARENT.encode()))]) as span:
        assert span is None


async def test_a_request_goes_on_from_its_clients_context(spans: InMemorySpanExporter) -> None:
    async def append(_request: web.Request) -> web.Response:
        return web.json_response({name: value.decode() for name, value in trace_headers()})

    followed = tracing.tracing_in_use()
    assert followed is not None
    app = web.Application(middlewares=[trace_requests(followed)])
    app.router.add_post("/orders/{id}", append)
    async with TestClient(TestServer(app)) as client:
        sent = {"Traceparent": PARENT}
        async with client.post("/orders/1", headers=sent) as response:
            carried = (await response.json())["traceparent"]
    (span,) = spans.get_finished_spans()
    assert (span.name, span.context.trace_id) == ("POST /orders/{id}", int(TRACE, 16))
    assert span.parent is not None
    assert carried == f"00-{TRACE}-{span.context.span_id:016x}-01"
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 200


def test_a_batch_is_linked_to_each_command_that_carries_a_context(
    spans: InMemorySpanExporter,
) -> None:
    records = [
        record(0, ("traceparent", PARENT.encode()), ("tracestate", b"a=1")),
        record(1),
        record(2, ("traceparent", b"nonsense")),
        record(3, ("traceparent", b"\xff" * 2_000)),
        record(4, ("traceparent", None)),
    ]
    with applying(records):
        pass
    (span,) = spans.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["messaging.batch.message_count"] == 5
    assert span.attributes["db.system.name"] == "postgresql"
    assert [link.context.trace_id for link in span.links] == [int(TRACE, 16)]
    assert span.parent is None


def test_a_large_batch_names_only_its_first_commands() -> None:
    records = [record(n, ("traceparent", PARENT.encode())) for n in range(LINKS_MAX + 50)]
    assert len(contexts_of(records)) == LINKS_MAX
