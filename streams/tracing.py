"""Trace context (W3C `traceparent`) from HTTP through Kafka headers to the batch's transaction.

Off by default, and then nothing of OpenTelemetry is loaded: what is asked here is one variable. A
batch is one transaction for many commands, so its span is a child of none of them, and linked to
each: of the edge's commands and of those of direct producers that send the header themselves.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from streams.records import Record

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
LINKS_MAX = 128
"""Of a span, as OpenTelemetry's own default; a batch of more commands names the first ones."""


class Tracing(Protocol):
    """What follows requests and batches, where it is on."""

    def serving(self, name: str, headers: Mapping[str, str]) -> AbstractContextManager[Any]:
        """Follow a request, from the context in its headers on."""

    def inject(self, into: dict[str, str]) -> None:
        """Write the context of what is under way."""

    def applying(
        self, contexts: Iterable[Mapping[str, str]], records: int
    ) -> AbstractContextManager[Any]:
        """Follow the transaction of a batch, linked to these contexts."""


_NOTHING: AbstractContextManager[Any] = nullcontext()
_tracing: Tracing | None = None


def use(tracing: Tracing | None) -> None:
    """Follow from now on; None: no longer."""
    global _tracing  # noqa: PLW0603 - one process has one.
    _tracing = tracing


def tracing_in_use() -> Tracing | None:
    """Return what follows here; None where tracing is off."""
    return _tracing


def trace_headers() -> list[tuple[str, bytes]]:
    """Return the headers that carry the context of what is under way into the log."""
    if _tracing is None:
        return []
    carried: dict[str, str] = {}
    _tracing.inject(carried)
    return [(name, value.encode()) for name, value in carried.items()]


def applying(records: Sequence[Record]) -> AbstractContextManager[Any]:
    """Follow the transaction that applies these records."""
    if _tracing is None:
        return _NOTHING
    return _tracing.applying(contexts_of(records), len(records))


def contexts_of(records: Sequence[Record]) -> list[Mapping[str, str]]:
    """Return the context that each record carries, of those that carry one; anybody may write."""
    found: list[Mapping[str, str]] = []
    for record in records:
        if parent := _text(record.header(TRACEPARENT)):
            state = _text(record.header(TRACESTATE))
            found.append({TRACEPARENT: parent} | ({TRACESTATE: state} if state else {}))
        if len(found) == LINKS_MAX:
            break
    return found


def _text(value: bytes | None) -> str:
    return "" if value is None else value[:512].decode("ascii", errors="ignore")
