"""Sums of the database on their way to become what a worker knows: built aside, in slices."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from sys import intern

from domain.leaderboard import Leaderboard
from domain.ranking import Tally, live_window
from storage.sales import SalesSnapshot
from streams.codec import partition_of
from tables.hourly_values import HourlyValues
from tables.shapes import encode_tally

# So many sums are built before the loop is given back: some milliseconds.
SLICE = 2_000


@dataclass(frozen=True, slots=True)
class Assignment:
    """The partitions of `product-sales` that are this worker's, and the group's generation."""

    generation: int
    partitions: Collection[int]
    of_partitions: int


class Loading:
    """What a worker will know of its partitions, once all `steps` are taken."""

    def __init__(
        self, snapshot: SalesSnapshot, assignment: Assignment, at_ms: int, hours: int
    ) -> None:
        self.marks = snapshot.marks
        self.assignment = assignment
        self.at_ms = at_ms
        self.values = HourlyValues()
        self.boards: dict[int, Leaderboard] = {}
        self._sums = snapshot.sums
        self._start_ms = live_window(at_ms, hours).start_ms
        self._totals: dict[int, dict[int, int]] = {each: {} for each in assignment.partitions}
        # Two dictionaries, not pairs in one: with a hundred thousand objects more, the collection
        # of garbage held up the event loop for longer than anything else here.
        self._keys: dict[int, str] = {}
        self._totals_of: dict[int, dict[int, int]] = {}

    def steps(self) -> Iterator[None]:
        """Build a part before each item: between two of them the event loop can do other work."""
        for hour_ms, sums in self._sums.by_hour():
            if hour_ms >= self._start_ms:
                rest = iter(sums.items())
                for _ in range(0, len(sums), SLICE):
                    self._take(hour_ms, islice(rest, SLICE))
                    yield
        for partition, totals in self._totals.items():
            self.boards[partition] = Leaderboard(totals)
            yield

    def _take(self, hour_ms: int, sums: Iterable[tuple[int, int]]) -> None:
        values, keys, totals_of = self.values.hours[hour_ms], self._keys, self._totals_of
        for product_id, quantity in sums:
            if product_id not in keys:
                self._place(product_id)
            totals = totals_of.get(product_id)
            if totals is not None:
                values[keys[product_id]] = _encoded(quantity)
                totals[product_id] = totals.get(product_id, 0) + quantity

    def _place(self, product_id: int) -> None:
        """Find a product's key and its partition's totals; these only where it is an own one."""
        key = self._keys[product_id] = intern(str(product_id))
        partition = partition_of(key.encode(), self.assignment.of_partitions)
        if partition in self._totals:
            self._totals_of[product_id] = self._totals[partition]


@lru_cache(maxsize=4096)
def _encoded(quantity: int) -> bytes:
    """Encode a sum; equal ones share their bytes."""
    return encode_tally(Tally(quantity))
