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
SHORT = {"worker_kill": 5, "broker_kill": 2, "database_kill": 2, "worker_stop": 2}
"""What a run of some minutes does of the worst; all else once."""
LONG = {
    "worker_kill": 50,
    "broker_kill": 20,
    "database_kill": 20,
    "worker_stop": 20,
    "commit_cut": 15,
    "redis_outage": 5,
    "slow_database": 5,
    "poison_burst": 5,
    "edge_kill": 8,
    "worker_term": 5,
    "edge_term": 5,
    "ranking_kill": 5,
    "clock_skew": 5,
}
"""What an hour does."""
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
