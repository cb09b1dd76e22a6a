"""What ranking workers are held against: orders as the database has them, and their sales' log.

It knows nothing of tables and top lists: the ranking is counted over all orders each time.
"""

from collections import Counter
from dataclasses import dataclass

from domain.ranking import LogPoint, Sale, SourcePartition
from storage.sales import HourSum, HourSums, SalesSnapshot
from streams.codec import partition_of

PARTITIONS = 4
SOURCES = [SourcePartition("user-commands", number) for number in range(2)]
HOUR = 60 * 60 * 1000


@dataclass
class Order:
    """So many pieces of some products, paid at a time; later perhaps cancelled."""

    source: SourcePartition
    paid_at_ms: int
    lines: dict[int, int]
    is_paid: bool = True


class Shop:
    """Commits payments and cancellations, and publishes their sales: in order, or again."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.log: dict[int, list[Sale]] = {partition: [] for partition in range(PARTITIONS)}
        self._epoch = 1
        self._next_offset = dict.fromkeys(SOURCES, 0)
        self._sales: dict[SourcePartition, list[Sale]] = {source: [] for source in SOURCES}
        self._published = dict.fromkeys(SOURCES, 0)

    def pay(self, order: Order) -> None:
        self.orders.append(order)
        self._commit(order, 1)

    def cancel(self, order: Order) -> None:
        """Take an order's pieces back, in the hour in which they were sold."""
        if order.is_paid:
            order.is_paid = False
            self._commit(order, -1)

    def _commit(self, order: Order, sign: int) -> None:
        point = LogPoint(self._epoch, self._next_offset[order.source])
        self._next_offset[order.source] += 1
        self._sales[order.source] += [
            Sale(product_id, sign * pieces, order.paid_at_ms, order.source, point)
            for product_id, pieces in order.lines.items()
        ]

    def adopt_another_log(self) -> None:
        """Begin a new log epoch, whose offsets begin anew."""
        self._epoch += 1
        self._next_offset = dict.fromkeys(SOURCES, 0)

    def publish(self, source: SourcePartition, count: int) -> None:
        """Append what comes next of a source."""
        begin = self._published[source]
        for sale in self._sales[source][begin : begin + count]:
            self.log[home_of(sale.product_id)].append(sale)
            self._published[source] += 1

    def publish_again(self, source: SourcePartition, back: int) -> None:
        """Go back in a source, as its replay does: what follows is published once more."""
        self._published[source] = max(0, self._published[source] - back)

    def publish_all(self) -> None:
        for source in SOURCES:
            self.publish(source, len(self._sales[source]))

    def snapshot(self, since_ms: int) -> SalesSnapshot:
        """Sums and marks of this moment, as SQL tells them."""
        marks = {s: LogPoint(self._epoch, offset) for s, offset in self._next_offset.items()}
        sums = self.sold_since(since_ms).items()
        return SalesSnapshot(marks, HourSums(HourSum(*place, pieces) for place, pieces in sums))

    def sold_since(self, since_ms: int) -> Counter[tuple[int, int]]:
        """Count the pieces of paid orders, by product and by the hour's first millisecond."""
        sold = Counter[tuple[int, int]]()
        for order in self.orders:
            if order.is_paid and order.paid_at_ms >= since_ms:
                for product_id, pieces in order.lines.items():
                    sold[product_id, order.paid_at_ms // HOUR * HOUR] += pieces
        return sold

    def ranking_since(self, since_ms: int) -> list[tuple[int, int]]:
        """List the hundred products that sold most, most pieces first, then the lower product."""
        totals = Counter[int]()
        for (product_id, _), pieces in self.sold_since(since_ms).items():
            totals[product_id] += pieces
        return sorted(totals.items(), key=lambda entry: (-entry[1], entry[0]))[:100]


def home_of(product_id: int) -> int:
    """Return the partition of `product-sales` that a product's sales are in."""
    return partition_of(str(product_id).encode(), PARTITIONS)
