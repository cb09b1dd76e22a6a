"""What follows requests and batches with OpenTelemetry: loaded only where that is asked for."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class OpenTelemetry:
    """Follows requests and batches with one tracer."""

    def __init__(self, provider: TracerProvider, database: str) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("fairline")
        self._database = database

    @contextmanager
    def serving(self, name: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """Follow a request, from the context in its headers on."""
        sent = {name.lower(): value for name, value in headers.items()}
        with self._tracer.start_as_current_span(
            name, context=propagate.extract(sent), kind=trace.SpanKind.SERVER
        ) as span:
            yield span

    def inject(self, into: dict[str, str]) -> None:
        """Write the context of what is under way."""
        propagate.inject(into)

    @contextmanager
    def applying(self, contexts: Iterable[Mapping[str, str]], records: int) -> Iterator[Any]:
        """Follow the transaction of a batch, linked to these contexts."""
        links = [
            trace.Link(found)
            for context in contexts
            if (found := self._span_context(context)).is_valid
        ]
        with self._tracer.start_as_current_span(
            "apply batch",
            kind=trace.SpanKind.CONSUMER,
            links=links,
            attributes={
                "messaging.system": "kafka",
                "messaging.batch.message_count": records,
                "db.system.name": self._database,
            },
        ) as span:
            yield span

    def _span_context(self, context: Mapping[str, str]) -> Any:
        carried = propagate.extract(context)
        return trace.get_current_span(carried).get_span_context()

    def stop(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()


def to_collector(process: str, database: str) -> OpenTelemetry:
    """Make what sends its spans where OpenTelemetry's own variables say."""
    provider = TracerProvider(resource=Resource.create({"service.name": f"fairline-{process}"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OpenTelemetry(provider, database)
