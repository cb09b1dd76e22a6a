"""First come, first served: what the log says of each coupon, in its order."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class _Queue:
    """One coupon so far. What is None was said before the log begins."""

    total: int | None = None
    number: int | None = None
    sold_out_at: str | None = None


class FirstCome:
    """Follows every coupon through the log. Memory: a few numbers for each code."""

    def __init__(self, *, from_the_start: bool) -> None:
        first = 0 if from_the_start else None
        self._queues: defaultdict[str, _Queue] = defaultdict(lambda: _Queue(number=first))

    def define(self, code: str, total: int) -> None:
        """The coupon has so many copies from here on; another total opens the line again."""
        queue = self._queues[code]
        if total != queue.total:
            queue.total = total
            queue.sold_out_at = None

    def serve(self, code: str, number: int, where: str) -> Iterator[str]:
        """A copy was issued: say what is wrong with that."""
        queue = self._queues[code]
        if queue.sold_out_at is not None:
            yield f"coupon {code}: {where} is served, {queue.sold_out_at} was sold out before it"
        if queue.number is not None and number != queue.number + 1:
            yield f"coupon {code}: {where} has number {number}, the one before {queue.number}"
        queue.number = number

    def sell_out(self, code: str, where: str) -> Iterator[str]:
        """Somebody was told that there are no copies left: say what is wrong with that."""
        queue = self._queues[code]
        queue.sold_out_at = queue.sold_out_at or where
        if queue.total is not None and queue.number is not None and queue.number < queue.total:
            left = queue.total - queue.number
            yield f"coupon {code}: {where} is refused as sold out, {left} copies are left"
