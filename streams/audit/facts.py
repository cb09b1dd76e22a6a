"""What a row of the command log says that was done, as facts. Raises where it cannot be read."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from domain.audit.facts import Cancelled, Created, Fact, Issued, Moved, Paid, Priced, Sold
from domain.audit.findings import CREATED, ENTRIES, ISSUES, PAID, Invariant
from domain.entities import EntryKind
from storage.command_log import LogRow
from streams.outbox import decode_outbox
from streams.outcomes import epoch_ms

decode = msgspec.json.decode

# What a row that somebody has changed may raise when it is read.
UNREADABLE = (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError)

Said = dict[str, Any]
"""The body of an outcome, or an event."""


class Known(NamedTuple):
    """A fact, and which invariant it belongs to."""

    invariant: Invariant
    fact: Fact


def facts_of(row: LogRow) -> Iterator[Known]:
    """Return what a row that was applied says that was done to the state."""
    read = _READERS.get(row.type or "")
    if read is not None:
        yield from read(row, decode(row.body))


def _charged(row: LogRow, said: Said) -> Iterator[Known]:
    amount, balance = said["chargedAmount"], said["balance"]
    yield _moved(row, EntryKind.CHARGE, (said["userId"], amount, balance))


def _credited(row: LogRow, said: Said) -> Iterator[Known]:
    amount, balance = said["creditedAmount"], said["balance"]
    yield _moved(row, EntryKind.CREDIT, (said["userId"], amount, balance))


def _paid(row: LogRow, said: Said) -> Iterator[Known]:
    user_id, amount, at_ms = said["userId"], said["paidAmount"], row.accepted_at_ms
    yield Known(PAID, Paid(said["orderId"], user_id, amount, at_ms))
    if amount:
        yield _moved(row, EntryKind.PAYMENT, (user_id, -amount, said["balance"]))


def _cancelled(row: LogRow, said: Said) -> Iterator[Known]:
    user_id, amount, at_ms = said["userId"], said["refundedAmount"], row.accepted_at_ms
    yield Known(PAID, Cancelled(said["orderId"], user_id, amount, at_ms))
    if amount:
        yield _moved(row, EntryKind.REFUND, (user_id, amount, said["balance"]))


def _moved(row: LogRow, kind: EntryKind, movement: tuple[int, int, int]) -> Known:
    user_id, amount, balance = movement
    made = Moved(user_id, row.command_id or "", kind.value, amount, balance, row.accepted_at_ms)
    return Known(ENTRIES, made)


def _issued(row: LogRow, said: Said) -> Iterator[Known]:
    copy = Issued(
        said["userCouponId"],
        said["userId"],
        said["couponId"],
        said["couponCode"],
        said["number"],
        said["discountAmount"],
        row.accepted_at_ms,
    )
    yield Known(ISSUES, copy)


def _created(row: LogRow, said: Said) -> Iterator[Known]:
    at_ms = row.accepted_at_ms
    order = Created(
        said["orderId"],
        said["userId"],
        said["totalAmount"],
        said["discountAmount"],
        said["payableAmount"],
        said["couponId"],
        _ms(said["expiresAt"]),
        at_ms,
    )
    yield Known(CREATED, order)
    for position, item in enumerate(said["items"]):
        line = (item["productId"], item["unitPrice"], item["quantity"])
        yield Known(CREATED, Priced(said["orderId"], position, *line, at_ms))


_READERS = {
    "ChargeBalance": _charged,
    "CreditBalance": _credited,
    "PayOrder": _paid,
    "CancelOrder": _cancelled,
    "IssueCoupon": _issued,
    "CreateOrder": _created,
}


class Event(NamedTuple):
    """An event as it stands in the outbox: its id, its source, and the fact that it tells."""

    event_id: str
    source: Said
    fact: Fact


def events_of(row: LogRow) -> Iterator[Event]:
    """Return the events of a row that was applied."""
    for stored in decode_outbox(row.events):
        said = decode(stored.value)
        fact = _EVENTS[said["type"]](said, row.accepted_at_ms)
        yield Event(said["eventId"], said["source"], fact)


def _paid_event(said: Said, _at_ms: int) -> Fact:
    return Paid(said["orderId"], said["userId"], said["paidAmount"], _ms(said["paidAt"]))


def _cancelled_event(said: Said, _at_ms: int) -> Fact:
    at_ms = _ms(said["cancelledAt"])
    return Cancelled(said["orderId"], said["userId"], said["refundedAmount"], at_ms)


def _sold_event(said: Said, at_ms: int) -> Fact:
    sold_at_ms = _ms(said["soldAt"])
    return Sold(said["orderId"], said["productId"], said["quantity"], sold_at_ms, at_ms)


_EVENTS = {
    "OrderPaid": _paid_event,
    "OrderCancelled": _cancelled_event,
    "SaleRecorded": _sold_event,
}


def _ms(text: str) -> int:
    return epoch_ms(datetime.fromisoformat(text))
