"""Follows this process with OpenTelemetry, where that is asked for and installed.

Spans leave by OTLP over HTTP. Where they go is said by OpenTelemetry's own variables, such as
`OTEL_EXPORTER_OTLP_ENDPOINT`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from app.services.errors import StartError
from streams import tracing

MISSING = "FAIRLINE_TRACING needs OpenTelemetry: pip install 'fairline[tracing]'"


@contextmanager
def tracing_to_collector(process: str, database: str) -> Iterator[None]:
    """Trace this process. Raises StartError where OpenTelemetry is not installed."""
    try:
        # Not at the top: without the extra it is not there, and whoever is off does not load it.
        followed = import_module("app.open_telemetry").to_collector(process, database)
    except ImportError:
        raise StartError(MISSING) from None
    tracing.use(followed)
    try:
        yield
    finally:
        tracing.use(None)
        followed.stop()
