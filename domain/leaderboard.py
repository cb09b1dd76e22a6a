"""Best sellers of one partition, kept in order: O(log n) for a sale, never a scan of products.

Pure: no clock, no input, no output.
"""

from collections.abc import Mapping
from heapq import heapify, heappop, heappush

from domain.ranking import TOP_MAX, TopEntry


class Leaderboard:
    """Totals of products, with the highest ones at hand.

    A heap keeps one entry for each total that a product ever had; those that are no longer true
    are thrown away when they come up, and all at once when they outnumber the true ones.
    """

    def __init__(self, totals: Mapping[int, int] | None = None) -> None:
        self._totals = {key: total for key, total in (totals or {}).items() if total}
        self._heap: list[tuple[int, int]] = []
        self._renew_heap()

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
            self._renew_heap()

    def _renew_heap(self) -> None:
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
