"""Rules of stock: what was there and what was added, less what was sold, is what is left."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from .evidence import Evidence
from .files import parsed


def _initial(evidence: Evidence) -> dict[int, int]:
    """Return the stock that each product began with: the set-up's, else its first definition's."""
    stock = dict(evidence.run.product_id_to_stock)
    defined = evidence.rows(
        """SELECT json_extract(payload, '$.productId'), json_extract(payload, '$.stock')
        FROM command_log WHERE type = 'DefineProduct' AND disposition = 'APPLIED' ORDER BY id"""
    )
    for product_id, pieces in defined:
        stock.setdefault(product_id, pieces)
    return stock


def _restocked(evidence: Evidence) -> Counter[int]:
    added = evidence.rows(
        """SELECT json_extract(payload, '$.productId'), sum(json_extract(payload, '$.quantity'))
        FROM command_log WHERE type = 'RestockProduct' AND disposition = 'APPLIED' GROUP BY 1"""
    )
    return Counter(dict(added))


def _compare(evidence: Evidence, sold: Counter[int], by: str) -> Iterator[str]:
    initial, restocked = _initial(evidence), _restocked(evidence)
    left = dict(evidence.rows("SELECT product_id, stock FROM products"))
    for product_id in sorted(initial.keys() | left.keys() | sold.keys()):
        began, added = initial.get(product_id, 0), restocked[product_id]
        expected = began + added - sold[product_id]
        if left.get(product_id) != expected:
            moved = f"{began} + {added} - {sold[product_id]} sold by {by}"
            yield f"product {product_id} has {left.get(product_id)} left, not {moved}"


def stock_is_what_was_not_sold(evidence: Evidence) -> Iterator[str]:
    """Initial + restocked - in paid orders that stand = left."""
    sold = evidence.rows(
        """SELECT product_id, sum(quantity) FROM order_lines l
        JOIN orders o ON o.order_id = l.order_id WHERE o.status = 'PAID' GROUP BY product_id"""
    )
    yield from _compare(evidence, Counter(dict(sold)), "orders")


def stock_follows_the_order_events(evidence: Evidence) -> Iterator[str]:
    """The same by what was published: `order-events`, each event id once."""
    sold: Counter[int] = Counter()
    published = evidence.rows(
        """SELECT type, min(said) FROM events WHERE topic = 'order-events'
        GROUP BY event_id, type"""
    )
    for kind, said in published:
        event = parsed(said)
        # Taking back an order that was not paid returns nothing.
        if kind == "OrderPaid" or event.get("paidAt") is not None:
            for item in event["items"]:
                sold[item["productId"]] += item["quantity"] * (1 if kind == "OrderPaid" else -1)
    yield from _compare(evidence, sold, "events")


def stock_is_never_below_zero(evidence: Evidence) -> Iterator[str]:
    """Replayed in the order in which the log's rows were written, no product runs out unnoticed.

    That order is the one in which batches held the products' rows, and so of their stock.
    """
    stock = Counter(_initial(evidence))
    moves = evidence.rows(
        """SELECT l.type, l.command_id, l.payload, n.product_id, n.quantity, o.paid_at_ms
        FROM command_log l
        LEFT JOIN orders o ON o.order_id = json_extract(l.payload, '$.orderId')
        LEFT JOIN order_lines n ON n.order_id = o.order_id
        WHERE l.disposition = 'APPLIED'
            AND l.type IN ('RestockProduct', 'PayOrder', 'CancelOrder') ORDER BY l.id"""
    )
    for kind, command_id, payload, product_id, quantity, paid_at_ms in moves:
        if kind == "RestockProduct":
            added: dict[str, Any] = parsed(payload)
            stock[added["productId"]] += added["quantity"]
        elif kind == "CancelOrder" and paid_at_ms is not None:
            stock[product_id] += quantity
        elif kind == "PayOrder":
            stock[product_id] -= quantity
            if stock[product_id] < 0:
                yield f"product {product_id} has {stock[product_id]} after {command_id}"


RULES = (
    stock_is_what_was_not_sold,
    stock_follows_the_order_events,
    stock_is_never_below_zero,
)
