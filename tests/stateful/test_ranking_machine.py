"""Any interleaving of sales, cancels, replays, restarts, rebalances: the list is what was sold.

Three workers share the partitions of `product-sales`, each with a Faust table of its own; an edge
merges what they publish. A small model counts all orders anew whenever everything has settled.
"""

from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from domain.ranking import CLOCKS_MS_MAX, HOUR_MS, SourcePartition
from tables.hourly_values import HourlyValues
from tables.live import LiveSales
from tables.loading import Assignment, Loading
from tables.shapes import decode_top, encode_top
from tables.top_lists import TopLists
from tests.sales_in_memory import SalesInMemory
from tests.stateful.ranking_world import HOUR, PARTITIONS, SOURCES, Order, Shop, home_of

NOW = 1_773_146_096_789
WORKERS = 3

numbers = st.integers(0, WORKERS - 1)
groups = st.sets(numbers, min_size=1)
sources = st.sampled_from(SOURCES)
backs = st.integers(0, 12)
counts = st.integers(1, 8)
lines = st.dictionaries(st.integers(1, 9), st.integers(1, 4), min_size=1, max_size=3)


class Worker:
    """A ranking worker without its broker: what it shows, what it loads, where it reads."""

    def __init__(self, memory: SalesInMemory, hours: int) -> None:
        memory.table.by_hour = HourlyValues()
        self.live = LiveSales(memory.table, hours=hours)
        self.loading: Loading | None = None
        self.positions: dict[int, int] = {}

    @property
    def is_counting(self) -> bool:
        return self.loading is None

    def count(self, shop: Shop, records: int) -> None:
        """Take so many records of each partition that is its own, as far as it knows."""
        for partition in self.live.assignment.partitions:
            begin = self.positions[partition]
            for sale in shop.log[partition][begin : begin + records]:
                self.live.count(sale, partition)
                self.positions[partition] += 1


class RankingMachine(RuleBasedStateMachine):
    """One rule for each thing that can happen; `settle` compares."""

    memories: ClassVar[list[SalesInMemory]]

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.generation = 0
        self.shop = Shop()
        self.members: dict[int, Worker] = {}
        self.strays: dict[int, Worker] = {}
        self.positions = dict.fromkeys(range(PARTITIONS), 0)

    @initialize(hours=st.sampled_from([1, 3, 72]))
    def start(self, hours: int) -> None:
        self.hours = hours
        self.edge = TopLists(PARTITIONS, hours)
        self.rebalance({0, 1}, 0)

    # What is sold.

    @rule(source=sources, sold=lines, ago=st.integers(0, 74), off=st.sampled_from([-1, 0, 1]))
    def pay(self, source: SourcePartition, sold: dict[int, int], ago: int, off: int) -> None:
        """Sell now, late, or too late; at an hour's edges."""
        at_ms = self.now if ago == 0 else self.now // HOUR * HOUR - ago * HOUR + off
        self.shop.pay(Order(source, at_ms, sold))

    @rule(source=sources, sold=lines, off=st.sampled_from([-1, 0, 1]))
    def pay_at_the_edge(self, source: SourcePartition, sold: dict[int, int], off: int) -> None:
        self.shop.pay(Order(source, self.window_start() + off, sold))

    @rule(source=sources, first=st.sampled_from([10, 60, 110]))
    def pay_for_a_bit_of_everything(self, source: SourcePartition, first: int) -> None:
        """Sell fifty products: after some of these there are more than a hundred."""
        sold = {first + number: 1 + number % 3 for number in range(50)}
        self.shop.pay(Order(source, self.now, sold))

    @precondition(lambda self: self.shop.orders)
    @rule(nth=st.integers(0, 50))
    def cancel(self, nth: int) -> None:
        self.shop.cancel(self.shop.orders[-1 - nth % len(self.shop.orders)])

    # What happens to the logs.

    @rule(source=sources, count=counts)
    def publish(self, source: SourcePartition, count: int) -> None:
        self.shop.publish(source, count)

    @rule(source=sources, back=backs, is_settled=st.booleans())
    def publish_again(self, source: SourcePartition, back: int, *, is_settled: bool) -> None:
        if is_settled:
            self.settle()
        self.shop.publish_again(source, back)

    @rule()
    def adopt_another_log(self) -> None:
        self.shop.adopt_another_log()

    # What happens to the workers.

    @rule(numbers=groups, count=counts)
    def consume(self, numbers: set[int], count: int) -> None:
        for worker in self._members(numbers):
            if worker.is_counting:
                worker.count(self.shop, count)

    def _members(self, numbers: set[int]) -> list[Worker]:
        return [self.members[number] for number in sorted(numbers & set(self.members))]

    @rule(
        kind=st.sampled_from(["kill", "freeze", "share", "forget"]),
        numbers=groups,
        back=backs,
        is_settled=st.booleans(),
    )
    def change_the_group(
        self, kind: str, numbers: set[int], back: int, *, is_settled: bool
    ) -> None:
        """Kill, freeze, add or remove workers, in the middle of anything or when all is calm."""
        if is_settled:
            self.settle()
        number = min(numbers)
        if kind == "kill":
            self.kill(number, back)
        elif kind == "freeze":
            self.freeze(number, back)
        elif kind == "forget":
            self.forget_the_group(back)
        else:
            self.rebalance(numbers, back)

    def rebalance(self, numbers: set[int], back: int) -> None:
        """Share the partitions out among these workers; others are gone.

        Each reads on from where the group had come to by its last commit, which is older.
        """
        for worker in self.members.values():
            if worker.is_counting:
                self.positions |= worker.positions
        kept, self.members = self.members, {}
        self.generation += 1
        for place, number in enumerate(sorted(numbers)):
            # Who had strayed comes back as what it is: a worker with an old table.
            worker = kept.get(number) or self.strays.pop(number, None) or self._new(number)
            own = range(PARTITIONS)[place :: len(numbers)]
            assignment = Assignment(self.generation, own, PARTITIONS)
            self.members[number] = worker
            worker.loading = self._load(assignment)
            worker.positions = {each: max(0, self.positions[each] - back) for each in own}

    def _new(self, number: int) -> Worker:
        return Worker(self.memories[number], self.hours)

    def _load(self, assignment: Assignment) -> Loading:
        snapshot = self.shop.snapshot(self.window_start())
        return Loading(snapshot, assignment, self.now, self.hours)

    @rule(numbers=groups)
    def finish_loading(self, numbers: set[int]) -> None:
        for worker in self._members(numbers):
            if worker.loading:
                for _ in worker.loading.steps():
                    pass
                worker.live.show(worker.loading)
                worker.loading = None

    def kill(self, number: int, back: int) -> None:
        """Kill a worker and start it again, with an empty table."""
        left = set(self.members) - {number}
        self.strays.pop(number, None)
        self.rebalance(left or {(number + 1) % WORKERS}, back)
        self.rebalance({*self.members, number}, 0)

    def freeze(self, number: int, back: int) -> None:
        """Stop a worker for so long that its partitions move; it does not know it."""
        if len(self.members) > 1 and (stray := self.members.get(number)):
            self.finish_loading({number})
            positions = dict(stray.positions)
            self.rebalance(set(self.members) - {number}, back)
            stray.positions = positions
            self.strays[number] = stray

    @rule(number=numbers, count=counts)
    def go_on_as_a_stray(self, number: int, count: int) -> None:
        if stray := self.strays.get(number):
            stray.count(self.shop, count)
            self._publish_tops(stray)

    def forget_the_group(self, back: int) -> None:
        """Let its generations begin anew; that takes longer than clocks are apart."""
        self.now += CLOCKS_MS_MAX + 1
        self.generation = 0
        self.rebalance(set(self.members), back)

    @rule(numbers=groups)
    def publish_tops(self, numbers: set[int]) -> None:
        for worker in self._members(numbers):
            self._publish_tops(worker)

    def _publish_tops(self, worker: Worker) -> None:
        for top in worker.live.take_changed(self.now):
            self.edge.put(decode_top(encode_top(top)))
            self.nothing_is_shown_twice()

    @rule(ms=st.sampled_from([1, 1_000, None, None, HOUR_MS - 1, HOUR_MS, 40 * HOUR_MS]))
    def wait(self, ms: int | None) -> None:
        """Let time pass, or all that is left of the hour."""
        self.now += ms or HOUR - self.now % HOUR

    # What must be so.

    def window_start(self) -> int:
        return self.now // HOUR * HOUR - (self.hours - 1) * HOUR

    @invariant()
    def nothing_is_shown_twice(self) -> None:
        shown = [entry.product_id for entry in self.edge.view().entries]
        assert len(shown) == len(set(shown))

    @invariant()
    def every_worker_agrees_with_itself(self) -> None:
        """The index is the sum of the table's values, whatever the worker has heard of."""
        for worker in [*self.members.values(), *self.strays.values()]:
            totals = Counter[int]()
            for _, pieces in worker.live.stored():
                totals.update(pieces)
            assert worker.live.sums() == {key: total for key, total in totals.items() if total}

    @rule()
    def settle(self) -> None:
        """Let all that is under way arrive: then everybody knows what was sold."""
        self.shop.publish_all()
        self.finish_loading(set(self.members))
        for worker in self.members.values():
            worker.count(self.shop, 100_000)
            self._publish_tops(worker)
        for stray in self.strays.values():
            stray.live.mark_changed(stray.live.assignment.partitions)
            self._publish_tops(stray)
        self._compare()

    def _compare(self) -> None:
        assert list(self.edge.view().entries) == self.shop.ranking_since(self.window_start())
        assert self.edge.view().window.start_ms == self.window_start()
        owners = {p: w for w in self.members.values() for p in w.live.assignment.partitions}
        assert set(owners) == set(range(PARTITIONS))
        hours: dict[int, dict[int, int]] = {product_id: {} for product_id in range(1, 10)}
        for (product_id, hour), pieces in self.shop.sold_since(self.window_start()).items():
            hours.setdefault(product_id, {})[hour] = pieces
        for product_id, sold in hours.items():
            assert owners[home_of(product_id)].live.hours(product_id, self.now) == sold

    def teardown(self) -> None:
        """Sell a little more, and publish much of it again: nothing may change by that."""
        for source in SOURCES:
            self.pay_for_a_bit_of_everything(source, 1)
        self.settle()
        for source in SOURCES:
            self.shop.publish_again(source, 60)
        self.settle()


@pytest.fixture
def machine(tmp_path: Path) -> type[RankingMachine]:
    memories = [SalesInMemory(tmp_path / str(number), PARTITIONS) for number in range(WORKERS)]
    return type("Machine", (RankingMachine,), {"memories": memories})


def test_the_merged_list_is_what_was_sold(machine: type[RankingMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=120, stateful_step_count=40, deadline=None),
    )
