"""The shapes of events: what is published on `order-events` and `product-sales`."""

from uuid import UUID

from streams.wire import Moment, OrderLine, Shape


class Source(Shape):
    """Where in the log the command stood that caused an event."""

    epoch: int
    topic: str
    partition: int
    offset: int


class OrderPaid(Shape):
    """Published on `order-events`, keyed by userId, once the payment is committed."""

    event_id: str
    type: str
    order_id: str
    user_id: int
    items: list[OrderLine]
    total_amount: int
    discount_amount: int
    paid_amount: int
    coupon_id: str | None
    paid_at: Moment
    source: Source


class OrderCancelled(Shape):
    """Published on `order-events`, keyed by userId, once the cancellation is committed.

    `paidAt` is null, and `refundedAmount` 0, where the order was not paid.
    """

    event_id: str
    type: str
    order_id: str
    user_id: int
    items: list[OrderLine]
    total_amount: int
    discount_amount: int
    refunded_amount: int
    coupon_id: str | None
    paid_at: Moment | None
    cancelled_at: Moment
    source: Source


class SaleRecorded(Shape):
    """Published on `product-sales`, keyed by productId: one per line of a paid order.

    One per line again, with a negative quantity and the same `soldAt`, where it is cancelled.
    """

    event_id: str
    type: str
    order_id: str
    product_id: int
    quantity: int
    sold_at: Moment
    source: Source


class RankingRebuildRequested(Shape):
    """Appended to each partition of `product-sales`, without a key, by `fairline ranking rebuild`.

    The partition's ranking worker sets its values from the database anew. It is no sale: who
    counts sales passes over it.
    """

    type: str
    rebuild_id: UUID
