"""Best sellers of one partition, kept in order: O(log n) for a sale, never a scan of products.

Pure: time comes as an argument.
"""

from collections import defaultdict
from collections.abc import Mapping
from heapq import heapify, heappop, heappush

from domain.ranking import TOP_MAX, WINDOW_HOURS, TopEntry, hour_of, live_window


class Leaderboard:
    """Totals of products, with the highest ones at hand.

    A heap keeps one entry for each total that a product ever had; those that are no longer true
    are thrown away when they come up, and all at once when they outnumber the true ones.
    """

    def __init__(self) -> None:
        self._totals: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def __len__(self) -> int:
        """Return the number of products that have a total."""
        return len(self._totals)

    @property
    def totals(self) -> Mapping[int, int]:
        """The totals that are not zero, by product."""
        return self._totals

    def add(self, product_id: int, quantity: int) -> None:
        """Add to a product's total. A product without a positive total has no place."""
        total = self._totals.get(product_id, 0) + quantity
        if total == 0:
            self._totals.pop(product_id, None)
        else:
            self._totals[product_id] = total
        if total > 0:
            heappush(self._heap, (-total, product_id))
        if len(self._heap) > 2 * len(self._totals) + TOP_MAX:
            self._heap = [(-total, key) for key, total in self._totals.items() if total > 0]
            heapify(self._heap)

    def top(self, limit: int = TOP_MAX) -> tuple[TopEntry, ...]:
        """Return the highest totals: most pieces first, then the lower product id."""
        found: list[tuple[int, int]] = []
        while self._heap and len(found) < limit:
            place = heappop(self._heap)
            # The same total may have been reached twice: the copies come up one after another.
            if self._totals.get(place[1]) == -place[0] and (not found or place != found[-1]):
                found.append(place)
        for place in found:
            heappush(self._heap, place)
        return tuple(TopEntry(product_id, -negative) for negative, product_id in found)


class HourlySales:
    """Sales of one partition's products by hour, and their sums over the live window."""

    def __init__(self, now_ms: int, hours: int = WINDOW_HOURS) -> None:
        self._hours = hours
        self._start_ms = live_window(now_ms, hours).start_ms
        self._by_hour: defaultdict[int, defaultdict[int, int]] = defaultdict(
            lambda: defaultdict(int)
        )
        self._sums = Leaderboard()

    @property
    def products(self) -> int:
        """The number of products that sold something in the window."""
        return len(self._sums)

    @property
    def totals(self) -> Mapping[int, int]:
        """What each product sold in the window."""
        return self._sums.totals

    def add(self, product_id: int, sold_at_ms: int, quantity: int) -> None:
        """Count pieces in the hour of their sale; nothing where that hour has left the window."""
        if sold_at_ms >= self._start_ms:
            self._by_hour[hour_of(sold_at_ms)][product_id] += quantity
            self._sums.add(product_id, quantity)

    def advance(self, now_ms: int) -> bool:
        """Move the window to a time, never back; tell whether hours have left it."""
        self._start_ms = max(self._start_ms, live_window(now_ms, self._hours).start_ms)
        left = [hour for hour in self._by_hour if hour < self._start_ms]
        for hour in left:
            for product_id, quantity in self._by_hour.pop(hour).items():
                self._sums.add(product_id, -quantity)
        return bool(left)

    def holds(self, sold_at_ms: int) -> bool:
        """Tell whether a time lies in the window, or ahead of it."""
        return sold_at_ms >= self._start_ms

    def top(self, limit: int = TOP_MAX) -> tuple[TopEntry, ...]:
        """Return the best sellers of the window."""
        return self._sums.top(limit)
