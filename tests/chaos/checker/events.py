"""Rules of events: they equal the changes of state, each once, in the order of the log."""

from collections.abc import Iterator
from typing import Any

from .evidence import Evidence
from .files import Line, moment_ms, parsed

# An event that is published again after a crash is the same event.
_ONCE = """(SELECT event_id, type, order_id, product_id, topic, min(said) AS said,
    min(timestamp_ms) AS timestamp_ms, min(key) AS key, source_topic, source_partition,
    source_offset FROM events WHERE event_id IS NOT NULL GROUP BY event_id)"""


def every_event_comes_again_unchanged(evidence: Evidence) -> Iterator[str]:
    """Records with one event id are byte-equal: value, key, topic."""
    found = evidence.rows(
        """SELECT event_id, count(DISTINCT value), count(DISTINCT key), count(DISTINCT topic)
        FROM events WHERE event_id IS NOT NULL GROUP BY event_id
        HAVING count(DISTINCT value) > 1 OR count(DISTINCT key) <> 1
            OR count(DISTINCT topic) > 1"""
    )
    for event_id, values, keys, topics in found:
        yield f"event {event_id} has {values} forms, {keys} keys, on {topics} topics"


def order_events_equal_the_orders(evidence: Evidence) -> Iterator[str]:
    """One `OrderPaid` for each paid order, one `OrderCancelled` for each cancelled one."""
    found = evidence.rows(
        f"""SELECT id, type, sum(changed), sum(told) FROM (
            SELECT order_id AS id, 'OrderPaid' AS type, 1 AS changed, 0 AS told
            FROM orders WHERE paid_at_ms IS NOT NULL
            UNION ALL SELECT order_id, 'OrderCancelled', 1, 0
            FROM orders WHERE status = 'CANCELLED'
            UNION ALL SELECT order_id, type, 0, 1 FROM {_ONCE} WHERE topic = 'order-events')
        GROUP BY id, type HAVING sum(changed) <> sum(told)"""
    )
    for order_id, kind, changed, told in found:
        yield f"order {order_id}: {told} {kind} for {changed} changes"


def sales_equal_the_lines(evidence: Evidence) -> Iterator[str]:
    """One `SaleRecorded` for each line that was paid, one more, negative, where taken back."""
    found = evidence.rows(
        f"""SELECT id, product_id, pieces, sum(changed), sum(told) FROM (
            SELECT n.order_id AS id, n.product_id, n.quantity AS pieces, 1 AS changed, 0 AS told
            FROM order_lines n JOIN orders o ON o.order_id = n.order_id
            WHERE o.paid_at_ms IS NOT NULL
            UNION ALL SELECT n.order_id, n.product_id, -n.quantity, 1, 0
            FROM order_lines n JOIN orders o ON o.order_id = n.order_id
            WHERE o.paid_at_ms IS NOT NULL AND o.status = 'CANCELLED'
            UNION ALL SELECT order_id, product_id, json_extract(said, '$.quantity'), 0, 1
            FROM {_ONCE} WHERE topic = 'product-sales')
        GROUP BY id, product_id, pieces HAVING sum(changed) <> sum(told)"""
    )
    for order_id, product_id, pieces, changed, told in found:
        what = f"{pieces} of product {product_id}"
        yield f"order {order_id}: {told} sales of {what} for {changed} changes"


def events_tell_what_the_orders_say(evidence: Evidence) -> Iterator[str]:
    """Amounts, lines, times and the key of an order's event are the order's."""
    found = evidence.rows(
        f"""SELECT e.event_id, e.type, e.said, e.key, o.user_id, o.total_amount,
            o.discount_amount, o.payable_amount, o.coupon_id, o.paid_at_ms, o.cancelled_at_ms,
            (SELECT group_concat(product_id || ':' || unit_price || ':' || quantity)
                FROM (SELECT * FROM order_lines n WHERE n.order_id = o.order_id
                    ORDER BY position))
        FROM {_ONCE} e JOIN orders o ON o.order_id = e.order_id
        WHERE e.topic = 'order-events'"""
    )
    for event_id, kind, said, key, *order in found:
        event = parsed(said)
        told, held = _told(event, kind, key), _held(kind, order)
        if told != held:
            wrong = {name: (told[name], held[name]) for name in held if told[name] != held[name]}
            yield f"event {event_id}: (told, held) {wrong}"


def _told(event: Line, kind: str, key: str) -> Line:
    items = (f"{i['productId']}:{i['unitPrice']}:{i['quantity']}" for i in event["items"])
    return {
        "key": key,
        "userId": event["userId"],
        "totalAmount": event["totalAmount"],
        "discountAmount": event["discountAmount"],
        "moved": event["paidAmount" if kind == "OrderPaid" else "refundedAmount"],
        "couponId": event["couponId"],
        "paidAt": moment_ms(event["paidAt"]),
        "cancelledAt": moment_ms(event.get("cancelledAt")),
        "items": ",".join(items),
        "amounts": all(i["amount"] == i["unitPrice"] * i["quantity"] for i in event["items"]),
    }


def _held(kind: str, order: list[Any]) -> Line:
    user_id, total, discount, payable, coupon_id, paid_at_ms, cancelled_at_ms, items = order
    moved = 0 if paid_at_ms is None else payable
    return {
        "key": str(user_id),
        "userId": user_id,
        "totalAmount": total,
        "discountAmount": discount,
        "moved": moved,
        "couponId": coupon_id,
        "paidAt": paid_at_ms,
        "cancelledAt": cancelled_at_ms if kind == "OrderCancelled" else None,
        "items": items,
        "amounts": True,
    }


def sales_tell_the_time_of_the_payment(evidence: Evidence) -> Iterator[str]:
    """`soldAt`, and the record's own time, place a sale in the hour of its payment."""
    found = evidence.rows(
        f"""SELECT e.event_id, e.said, e.timestamp_ms, e.key, e.product_id, o.paid_at_ms
        FROM {_ONCE} e JOIN orders o ON o.order_id = e.order_id
        WHERE e.topic = 'product-sales'"""
    )
    for event_id, said, timestamp_ms, key, product_id, paid_at_ms in found:
        sold_at_ms = moment_ms(parsed(said)["soldAt"])
        if not sold_at_ms == timestamp_ms == paid_at_ms or key != str(product_id):
            times = f"sold at {sold_at_ms}, record of {timestamp_ms}, key {key}"
            yield f"event {event_id} of product {product_id}: {times}; paid at {paid_at_ms}"


def events_name_their_command(evidence: Evidence) -> Iterator[str]:
    """`source` is the place of the applied command that the event id names."""
    found = evidence.rows(
        f"""SELECT e.event_id, e.source_topic, e.source_partition, e.source_offset, l.type
        FROM {_ONCE} e LEFT JOIN command_log l ON l.topic = e.source_topic
            AND l.partition = e.source_partition AND l.offset = e.source_offset
        WHERE l.id IS NULL OR l.disposition <> 'APPLIED'
            OR e.event_id NOT LIKE l.command_id || ':%'
            OR json_extract(l.payload, '$.orderId') IS NOT e.order_id
            OR (e.type = 'OrderPaid' AND l.type <> 'PayOrder')
            OR (e.type = 'OrderCancelled' AND l.type <> 'CancelOrder')
            OR (e.type = 'SaleRecorded' AND l.type <> iif(json_extract(e.said, '$.quantity') > 0,
                'PayOrder', 'CancelOrder'))"""
    )
    for event_id, topic, partition, offset, kind in found:
        place = f"{topic}[{partition}]@{offset}"
        yield f"event {event_id} names {place}, which holds {kind or 'no command'}"


def events_follow_the_log(evidence: Evidence) -> Iterator[str]:
    """In each partition the events of one source partition appear in the order of the log."""
    yield from _out_of_order(evidence, "topic", "events WHERE event_id IS NOT NULL")


def results_follow_the_log(evidence: Evidence) -> Iterator[str]:
    """In each partition the results of one source partition appear in the order of the log."""
    yield from _out_of_order(evidence, "'command-results'", "results")


def _out_of_order(evidence: Evidence, topic: str, table: str) -> Iterator[str]:
    found = evidence.rows(
        f"""SELECT topic, partition, offset, source_partition, source_offset, before FROM (
            SELECT *, max(source_offset) OVER (PARTITION BY topic, partition, source_topic,
                source_partition ORDER BY offset
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM (SELECT {topic} AS topic, partition, min(offset) AS offset, source_topic,
                source_partition, source_offset FROM {table} GROUP BY 1, 2, 4, 5, 6))
        WHERE before > source_offset"""
    )
    for name, partition, offset, source, source_offset, before in found:
        place = f"{name}[{partition}]@{offset}"
        yield f"{place} is the first of [{source}]@{source_offset}, after one of @{before}"


RULES = (
    every_event_comes_again_unchanged,
    order_events_equal_the_orders,
    sales_equal_the_lines,
    events_tell_what_the_orders_say,
    sales_tell_the_time_of_the_payment,
    events_name_their_command,
    events_follow_the_log,
    results_follow_the_log,
)
