"""Rules of the live ranking: it equals the paid orders of its window."""

from collections.abc import Iterator
from typing import Any

from .evidence import Evidence
from .files import moment_ms

HOUR_MS = 3_600_000
WINDOW_HOURS = 72
PLACES_MAX = 100


def _window(evidence: Evidence) -> tuple[int, int]:
    window = evidence.ranking.get("window") or {}
    return moment_ms(window.get("from")) or 0, moment_ms(window.get("to")) or 0


def the_window_is_whole(evidence: Evidence) -> Iterator[str]:
    """It is 72 whole hours, the current one the last."""
    start_ms, end_ms = _window(evidence)
    as_of_ms = moment_ms(evidence.ranking.get("asOf")) or 0
    whole = start_ms % HOUR_MS == 0 and end_ms - start_ms == WINDOW_HOURS * HOUR_MS
    if not whole or not end_ms - HOUR_MS <= as_of_ms < end_ms:
        yield f"the window is {evidence.ranking.get('window')} as of {as_of_ms}"


def the_ranking_equals_the_orders(evidence: Evidence) -> Iterator[str]:
    """Products by pieces in paid orders that stand, most first, then by id."""
    sold = evidence.rows(
        """SELECT product_id, sum(quantity) AS pieces FROM order_lines n
        JOIN orders o ON o.order_id = n.order_id
        WHERE o.status = 'PAID' AND o.paid_at_ms >= ? AND o.paid_at_ms < ?
        GROUP BY product_id ORDER BY pieces DESC, product_id LIMIT ?""",
        *_window(evidence),
        PLACES_MAX,
    )
    expected = [(rank, *place) for rank, place in enumerate(sold, 1)]
    shown = [_place(each) for each in evidence.ranking.get("top", [])]
    for rank in range(max(len(expected), len(shown))):
        held = expected[rank] if rank < len(expected) else None
        told = shown[rank] if rank < len(shown) else None
        if held != told:
            yield f"place {rank + 1} (rank, product, pieces): shown {told}, sold {held}"


def _place(shown: dict[str, Any]) -> tuple[Any, ...]:
    return shown.get("rank"), shown.get("productId"), shown.get("quantity")


def the_ranking_was_checked(evidence: Evidence) -> Iterator[str]:
    """The system's own comparison of its ranking with its orders found no difference."""
    check = evidence.ranking.get("check") or {}
    if check.get("exitCode") != 0:
        yield f"exit {check.get('exitCode')}: {str(check.get('output'))[:300]}"


RULES = (the_window_is_whole, the_ranking_equals_the_orders, the_ranking_was_checked)
