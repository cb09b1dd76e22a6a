"""What of all latencies is told."""

import math
from collections.abc import Sequence

SHARES = (0.5, 0.9, 0.99, 0.999)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the least value that is not below this share of all, which are sorted; 0 of none.

    One that was measured, never one between two: a tail that is made up is no tail.
    """
    if not ordered:
        return 0.0
    # A thousandth of 1,000 is one, not a hair more that rounds up to two.
    rank = math.ceil(round(len(ordered) * share, 6))
    return ordered[max(rank, 1) - 1]
