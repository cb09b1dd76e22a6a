"""Tells whether two accounts name the same facts, however many, in a memory of fixed size.

One account is added, the other taken away; what is left over differs. Facts fall into buckets,
and a bucket keeps their number and the sum of their texts, read as integers: a fact that stands
alone in its bucket is read back from what is left of the sum. The order of facts is of no account.
"""

from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

# Two megabytes each. Where more facts differ than there are buckets, some cannot be named.
BUCKETS = 1 << 14


class Difference(NamedTuple):
    """A fact and by how much it was added more often than taken away; None: not to be named."""

    fact: str | None
    surplus: int

    @property
    def violations(self) -> int:
        """How many facts differ here, at least."""
        # Nothing left over of the numbers but of the sums: one more here, another one less.
        return abs(self.surplus) or 2


class Tally:
    """Facts added less facts taken away."""

    def __init__(self) -> None:
        self._surpluses = [0] * BUCKETS
        self._sums = [0] * BUCKETS
        self.added = 0

    def add(self, fact: str) -> None:
        """Let the first account tell a fact."""
        self.added += 1
        self._count(fact.encode(), 1)

    def take(self, fact: str) -> None:
        """Let the second account tell a fact."""
        self._count(fact.encode(), -1)

    def _count(self, raw: bytes, sign: int) -> None:
        bucket = _bucket_of(raw)
        self._surpluses[bucket] += sign
        self._sums[bucket] += sign * int.from_bytes(raw)

    def differences(self) -> Iterator[Difference]:
        """Return what one account told and the other did not."""
        for bucket, (surplus, left) in enumerate(zip(self._surpluses, self._sums, strict=True)):
            if surplus or left:
                yield Difference(_fact_of(bucket, surplus, left), surplus)


def _bucket_of(raw: bytes) -> int:
    return crc32(raw) % BUCKETS


def _fact_of(bucket: int, surplus: int, left: int) -> str | None:
    """Return the one fact that is left in a bucket; None where several are."""
    if not surplus or left % surplus or left // surplus <= 0:
        return None
    number = left // surplus
    raw = number.to_bytes((number.bit_length() + 7) // 8)
    try:
        return raw.decode() if _bucket_of(raw) == bucket else None
    except UnicodeDecodeError:
        return None
