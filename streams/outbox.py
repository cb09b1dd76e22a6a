"""Events as the command log keeps them until the broker has acknowledged them: the outbox."""

from collections.abc import Iterable, Sequence

import msgspec

from domain import events
from domain.entities import Order
from streams import wire, wire_events
from streams.outcomes import moment, moment_or_none, order_lines
from streams.records import Record
from streams.topics import Topics


class StoredEvent(wire.Shape, omit_defaults=True):
    """One record to publish: a key (base64 where stored), JSON, and a time if it has its own."""

    topic: str
    key: bytes | None
    value: msgspec.Raw
    timestamp_ms: int | None = None


_encode = msgspec.json.Encoder().encode
_decode_all = msgspec.json.Decoder(list[StoredEvent]).decode


def encode_outbox(stored: Sequence[StoredEvent]) -> str | None:
    """Encode a record's events for its log row; None for none."""
    return _encode(stored).decode() if stored else None


def decode_outbox(text: str | None) -> list[StoredEvent]:
    """Read the events back from a log row."""
    return _decode_all(text) if text else []


def stored_events(
    listed: Iterable[events.Event], command_id: str, source: wire_events.Source, topics: Topics
) -> list[StoredEvent]:
    """Make the records of a decision's events; ids are the command's, numbered from 0."""
    stored = []
    for number, event in enumerate(listed):
        event_id = f"{command_id}:{number}"
        if isinstance(event, events.OrderPaid):
            stored.append(_order_paid(event, event_id, source, topics))
        elif isinstance(event, events.OrderCancelled):
            stored.append(_order_cancelled(event, event_id, source, topics))
        else:
            stored.append(_sale_recorded(event, event_id, source, topics))
    return stored


def _order_paid(
    event: events.OrderPaid, event_id: str, source: wire_events.Source, topics: Topics
) -> StoredEvent:
    order = event.order
    assert order.paid_at_ms is not None
    value = wire_events.OrderPaid(
        event_id=event_id,
        type="OrderPaid",
        order_id=order.order_id,
        user_id=order.user_id,
        items=order_lines(order),
        total_amount=order.total_amount,
        discount_amount=order.discount_amount,
        paid_amount=order.payable_amount,
        coupon_id=order.coupon_id,
        paid_at=moment(order.paid_at_ms),
        source=source,
    )
    return _order_event(order, value, topics)


def _order_cancelled(
    event: events.OrderCancelled, event_id: str, source: wire_events.Source, topics: Topics
) -> StoredEvent:
    order = event.order
    assert order.cancelled_at_ms is not None
    value = wire_events.OrderCancelled(
        event_id=event_id,
        type="OrderCancelled",
        order_id=order.order_id,
        user_id=order.user_id,
        items=order_lines(order),
        total_amount=order.total_amount,
        discount_amount=order.discount_amount,
        refunded_amount=event.refunded_amount,
        coupon_id=order.coupon_id,
        paid_at=moment_or_none(order.paid_at_ms),
        cancelled_at=moment(order.cancelled_at_ms),
        source=source,
    )
    return _order_event(order, value, topics)


def _order_event(order: Order, value: wire.Shape, topics: Topics) -> StoredEvent:
    key = str(order.user_id).encode()
    return StoredEvent(topics.order_events.name, key, msgspec.Raw(_encode(value)))


def _sale_recorded(
    event: events.SaleRecorded, event_id: str, source: wire_events.Source, topics: Topics
) -> StoredEvent:
    value = wire_events.SaleRecorded(
        event_id=event_id,
        type="SaleRecorded",
        order_id=event.order_id,
        product_id=event.product_id,
        quantity=event.quantity,
        sold_at=moment(event.sold_at_ms),
        source=source,
    )
    # The record's own time is the sale's: it places the sale in an hour of the ranking, and
    # what a cancellation takes back in the same one.
    return StoredEvent(
        topics.product_sales.name,
        str(event.product_id).encode(),
        msgspec.Raw(_encode(value)),
        event.sold_at_ms,
    )


def dead_letter(record: Record, reason: str, detail: str, topics: Topics) -> StoredEvent:
    """Make the record that goes to `dead-letters`: the original bytes, the place, the reason."""
    value = wire.DeadLetter(
        topic=record.place.topic,
        partition=record.place.partition,
        offset=record.place.offset,
        reason=reason,
        detail=detail,
        key=record.key,
        value=record.value,
        headers=list(record.headers),
        recorded_at=moment(record.timestamp_ms),
    )
    return StoredEvent(topics.dead_letters.name, record.key, msgspec.Raw(_encode(value)))
