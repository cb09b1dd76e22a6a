"""A record of a command topic as the batch sees it, whichever consumer brought it."""

from collections.abc import Sequence
from typing import NamedTuple

LOG_APPEND_TIME = 1

Partition = tuple[str, int]
"""A topic's name, and the number of one of its partitions."""

Headers = Sequence[tuple[str, bytes | None]]


class Place(NamedTuple):
    """Where a record stands in the log."""

    topic: str
    partition: int
    offset: int


class Record(NamedTuple):
    """The bytes of one record, and what the broker says of it."""

    place: Place
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    timestamp_type: int

    def header(self, name: str) -> bytes | None:
        """Return the last header of that name, or None."""
        for key, value in reversed(self.headers):
            if key == name:
                return value
        return None
