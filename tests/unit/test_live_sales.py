"""Any interleaving of payments, repetitions, late events, restarts: the count is the database's.

The world here is a database that commits payments, a log of their sales that a replaying
producer appends to, and a worker that is killed at any moment and begins anew from both.
"""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.ranking import (
    HOUR_MS,
    LogPoint,
    Sale,
    SourcePartition,
    TopEntry,
    hour_of,
    live_window,
    rank_order,
)
from storage.sales import HourSum, HourSums, SalesSnapshot
from streams.codec import partition_of
from tables.hourly_values import HourlyValues, windowed
from tables.live import LiveSales
from tables.loading import Assignment

NOW = 1_773_146_096_789
PARTITIONS = 2
SOURCES = [SourcePartition("user-commands", number) for number in range(2)]


class PlainTable:
    """The sales table without Faust."""

    def __init__(self) -> None:
        self.by_hour = HourlyValues()

    def put(self, key: str, hour_ms: int, value: bytes) -> None:
        self.by_hour[windowed(key, hour_ms)] = value


class Payments(RuleBasedStateMachine):
    """One rule for each thing that can happen; the model is the list of committed sales."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.committed: list[Sale] = []
        self.published = dict.fromkeys(SOURCES, 0)
        self.log: list[Sale] = []
        self.position = 0
        self.live = LiveSales(PlainTable())

    @initialize()
    def start(self) -> None:
        self.restart(0)

    @rule(
        source=st.sampled_from(SOURCES),
        products=st.sets(st.integers(1, 5), min_size=1, max_size=3),
        quantity=st.integers(-2, 9),
        hours_ago=st.integers(0, 75),
    )
    def pay(
        self, source: SourcePartition, products: set[int], quantity: int, hours_ago: int
    ) -> None:
        """Commit one command, with a sale for each of its products."""
        point = LogPoint(1, self._next_offset(source))
        at = self.now - hours_ago * HOUR_MS
        self.committed += [Sale(each, quantity, at, source, point) for each in sorted(products)]

    @rule(source=st.sampled_from(SOURCES), again=st.integers(0, 4))
    def publish(self, source: SourcePartition, again: int) -> None:
        """Publish all that is committed, in order, some of it once more."""
        own = [sale for sale in self.committed if sale.source == source]
        self.log += own[max(0, self.published[source] - again) :]
        self.published[source] = len(own)

    @rule(records=st.integers(1, 8))
    def consume(self, records: int) -> None:
        for sale in self.log[self.position : self.position + records]:
            self.live.count(sale, partition_of(str(sale.product_id).encode(), PARTITIONS))
            self.position += 1

    @rule(back=st.integers(0, 6))
    def restart(self, back: int) -> None:
        """Kill the worker; a new one loads, and reads again from an older position."""
        self.live = LiveSales(PlainTable())
        self.rebalance(back)

    @rule(back=st.integers(0, 6))
    def rebalance(self, back: int) -> None:
        sums = Counter[tuple[int, int]]()
        since_ms = live_window(self.now).start_ms
        for sale in self.committed:
            if sale.sold_at_ms >= since_ms:
                sums[sale.product_id, hour_of(sale.sold_at_ms)] += sale.quantity
        marks = {source: LogPoint(1, self._next_offset(source)) for source in SOURCES}
        snapshot = SalesSnapshot(
            marks, HourSums(HourSum(*key, total) for key, total in sums.items())
        )
        self.live.load(snapshot, Assignment(1, range(PARTITIONS), PARTITIONS), self.now)
        self.position = max(0, self.position - back)

    @rule()
    def turn_the_hour(self) -> None:
        self.now += HOUR_MS
        self.live.advance(self.now)

    @invariant()
    def what_was_consumed_is_what_was_sold(self) -> None:
        if all(self.published.values()) and self.position == len(self.log) > 0:
            self._compare(only_published=True)

    def teardown(self) -> None:
        """At the end all is published and consumed: every product is as the database has it."""
        for source in SOURCES:
            self.publish(source, 4)
        self.consume(len(self.log))
        self._compare(only_published=False)

    def _compare(self, *, only_published: bool) -> None:
        if only_published and any(
            self.published[source] < sum(sale.source == source for sale in self.committed)
            for source in SOURCES
        ):
            return
        totals = Counter[int]()
        start_ms = live_window(self.now).start_ms
        for sale in self.committed:
            if sale.sold_at_ms >= start_ms:
                totals[sale.product_id] += sale.quantity
        expected = sorted((TopEntry(*t) for t in totals.items() if t[1] > 0), key=rank_order)
        assert self.live.top(self.now) == tuple(expected)
        for product_id, total in totals.items():
            assert sum(self.live.hours(product_id, self.now).values()) == total

    def _next_offset(self, source: SourcePartition) -> int:
        points = [sale.point.offset for sale in self.committed if sale.source == source]
        return max(points, default=-1) + 1


Payments.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestPayments = Payments.TestCase
