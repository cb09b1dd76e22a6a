"""When which fault comes: drawn from a seed. No input or output here."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

KINDS = (
    "worker_kill",
    "broker_kill",
    "database_kill",
    "worker_stop",
    "commit_cut",
    "redis_outage",
    "slow_database",
    "poison_burst",
    "edge_kill",
    "worker_term",
    "edge_term",
    "ranking_kill",
    "clock_skew",
)
QUIET_SECONDS = 8.0
"""At the beginning, so that there is something to lose."""


@dataclass(frozen=True)
class Due:
    """One fault: its kind, and how many seconds after the start it begins at the earliest."""

    kind: str
    at_seconds: float


def schedule(seed: int, seconds: float, counts: Mapping[str, int]) -> list[Due]:
    """Spread so many faults of each kind over a run, in an order of chance."""
    random = Random(seed)
    kinds = [kind for kind in KINDS for _ in range(counts.get(kind, 0))]
    random.shuffle(kinds)
    step = (seconds - QUIET_SECONDS) / max(1, len(kinds))
    return [
        Due(kind, QUIET_SECONDS + step * (place + random.uniform(0, 0.3)))
        for place, kind in enumerate(kinds)
    ]
