"""One trace from a client's header through the log to the transaction that applies the command."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.open_telemetry import OpenTelemetry
from streams import tracing, wire
from streams.codec import encode_command, key_of
from tests.client import producing
from tests.edges import edge_of, until
from tests.installation import Installation

HTTP = "0af7651916cd43dd8448eb211c80319c"
DIRECT = "1bf7651916cd43dd8448eb211c80319c"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(OpenTelemetry(provider, "postgresql"))
    yield exporter
    tracing.use(None)
    provider.shutdown()


async def test_a_trace_leads_to_the_transaction_whoever_sent_the_command(
    installation: Installation, spans: InMemorySpanExporter
) -> None:
    def linked() -> set[str]:
        batches = [each for each in spans.get_finished_spans() if each.name == "apply batch"]
        return {f"{link.context.trace_id:032x}" for each in batches for link in each.links}

    settings, topics = installation.settings, installation.topics
    async with installation.worker(), edge_of(installation) as customer:
        headers = {"traceparent": f"00-{HTTP}-b7ad6b7169203331-01"}
        body = {"userId": 1, "amount": 7}
        path = "/api/v1/balance/charge"
        async with customer.http.post(path, json=body, headers=headers) as response:
            assert response.status in (200, 202)
        async with producing(settings.kafka_url, topics) as producer:
            payload = wire.ChargeBalance(2, 7)
            value = encode_command(uuid4(), payload)
            await producer.kafka.send_and_wait(
                topics.user_commands.name,
                value,
                key=key_of(payload),
                headers=[("traceparent", f"00-{DIRECT}-b7ad6b7169203331-01".encode())],
            )

        async def are_followed() -> bool:
            return {HTTP, DIRECT} <= linked()

        await until(are_followed, "both traces at the transaction")
