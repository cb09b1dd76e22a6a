"""Rules of orders: each is what its commands made of it, and its sums are right."""

from collections import Counter
from collections.abc import Iterator

from .evidence import Evidence
from .files import parsed


def every_order_adds_up(evidence: Evidence) -> Iterator[str]:
    """Lines make the total, total less discount is payable, and nothing is below zero."""
    found = evidence.rows(
        """SELECT o.order_id, o.total_amount, o.discount_amount, o.payable_amount,
            sum(n.unit_price * n.quantity)
        FROM orders o LEFT JOIN order_lines n ON n.order_id = o.order_id GROUP BY o.order_id
        HAVING sum(n.unit_price * n.quantity) IS NOT o.total_amount
            OR o.total_amount - o.discount_amount <> o.payable_amount
            OR o.discount_amount < 0 OR o.payable_amount < 0"""
    )
    for order_id, total, discount, payable, lines in found:
        yield f"order {order_id}: lines {lines}, total {total} - {discount}, payable {payable}"


def every_order_is_what_its_commands_made(evidence: Evidence) -> Iterator[str]:
    """One applied creation; one payment where it was paid, one cancellation where cancelled."""
    found = evidence.rows(
        f"""SELECT order_id, status, paid_at_ms, cancelled_at_ms, made, paid, cancelled FROM (
            SELECT o.order_id, o.status, o.paid_at_ms, o.cancelled_at_ms,
                (SELECT count(*) FROM command_log l WHERE l.command_id = o.order_id
                    AND l.disposition = 'APPLIED' AND l.type = 'CreateOrder'
                    AND json_extract(l.payload, '$.userId') = o.user_id) AS made,
                ifnull(p.times, 0) AS paid, ifnull(c.times, 0) AS cancelled
            FROM orders o
            LEFT JOIN ({_count_of("PayOrder")}) p ON p.id = o.order_id
            LEFT JOIN ({_count_of("CancelOrder")}) c ON c.id = o.order_id)
        WHERE made <> 1 OR paid <> (paid_at_ms IS NOT NULL)
            OR cancelled <> (cancelled_at_ms IS NOT NULL)
            OR status <> iif(cancelled_at_ms IS NOT NULL, 'CANCELLED',
                iif(paid_at_ms IS NOT NULL, 'PAID', 'PENDING'))"""
    )
    for order_id, status, paid_at_ms, cancelled_at_ms, *times in found:
        made, paid, cancelled = times
        moments = f"{status}, paid at {paid_at_ms}, cancelled at {cancelled_at_ms}"
        yield f"order {order_id} ({moments}): {made} made, {paid} paid, {cancelled} cancelled it"


def _count_of(kind: str) -> str:
    return f"""SELECT json_extract(payload, '$.orderId') AS id, count(*) AS times
        FROM command_log WHERE disposition = 'APPLIED' AND type = '{kind}' GROUP BY 1"""


def every_applied_command_has_its_order(evidence: Evidence) -> Iterator[str]:
    """What was told to be created, paid or cancelled is an order that is stored."""
    found = evidence.rows(
        """SELECT l.type, l.command_id FROM command_log l LEFT JOIN orders o ON o.order_id
            = iif(l.type = 'CreateOrder', l.command_id, json_extract(l.payload, '$.orderId'))
        WHERE l.disposition = 'APPLIED' AND o.order_id IS NULL
            AND l.type IN ('CreateOrder', 'PayOrder', 'CancelOrder')"""
    )
    for kind, command_id in found:
        yield f"{kind} {command_id} was applied to no stored order"


def every_order_has_the_lines_that_were_asked_for(evidence: Evidence) -> Iterator[str]:
    """Products and quantities are those of the command; lines of one product are merged."""
    found = evidence.rows(
        """SELECT l.command_id, l.payload, group_concat(n.product_id || ':' || n.quantity)
        FROM command_log l JOIN order_lines n ON n.order_id = l.command_id
        WHERE l.disposition = 'APPLIED' AND l.type = 'CreateOrder' GROUP BY l.id"""
    )
    for order_id, payload, listed in found:
        wanted: Counter[int] = Counter()
        for item in parsed(payload)["items"]:
            wanted[item["productId"]] += item["quantity"]
        pairs = (each.split(":") for each in listed.split(","))
        held = {int(product_id): int(quantity) for product_id, quantity in pairs}
        if held != wanted:
            yield f"order {order_id} has {held}, asked for was {dict(wanted)}"


RULES = (
    every_order_adds_up,
    every_order_is_what_its_commands_made,
    every_applied_command_has_its_order,
    every_order_has_the_lines_that_were_asked_for,
)
