"""How many of each process so many orders a second need: arithmetic, no simulation."""

from math import ceil, pi, sqrt
from typing import NamedTuple

from benchmarks.scaling.costs import Kind

BUSY = 0.7
"""How busy a core may be: past this the wait grows faster than the load."""
ORDER = ("create", "pay")
"""An order is two commands of its user; reads are not counted."""


class Need(NamedTuple):
    """What so many orders a second need."""

    orders: int
    batch_size: int
    edges: int
    workers: int
    database_cores: int
    broker_cores: int
    commits: float
    """Transactions a second in the database."""


def carries(cost_ms: float) -> float:
    """Tell how many commands a second one core carries at a cost for each."""
    return BUSY * 1e3 / cost_ms


def need(kinds: dict[str, Kind], orders: int, batch_size: int) -> Need:
    """Tell what so many orders a second need, in batches of this size."""
    of_order = [kinds[kind] for kind in ORDER]
    return Need(
        orders=orders,
        batch_size=batch_size,
        edges=_cores(orders, sum(kind.edge for kind in of_order)),
        workers=_cores(orders, sum(kind.worker.each(batch_size) for kind in of_order)),
        database_cores=_cores(orders, sum(kind.database.each(batch_size) for kind in of_order)),
        broker_cores=_cores(orders, sum(kind.broker for kind in of_order)),
        commits=orders * len(ORDER) / batch_size,
    )


def partitions_for(workers: int) -> int:
    """Choose a number of partitions: four for each worker or a few more.

    A worker then has a quarter more than another at most, however they are divided.
    """
    return 8 * ceil(4 * workers / 8)


def _cores(orders: int, cost_ms: float) -> int:
    return ceil(orders * cost_ms / (BUSY * 1e3))


def displaced(copies: int, quotas: int) -> float:
    """Tell how many people a coupon in sub-quotas is expected to pass over.

    They stood among the first `copies` in the line, in a quota that was full already, and others
    further back got theirs. People are spread over the quotas by chance, so it is half the mean
    deviation of a binomial, summed over the quotas.
    """
    return sqrt(copies * (quotas - 1) / (2 * pi))
