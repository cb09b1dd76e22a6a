"""When to ask again, and after how long. Pure: time and chance are arguments.

Every write has a key, so asking again does nothing twice.
"""

from dataclasses import dataclass

AGAIN = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses that say nothing of the request itself."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """How long a client tries, and how it waits in between where nobody tells it."""

    seconds_max: float = 60.0
    first_seconds: float = 0.1
    pause_seconds_max: float = 5.0

    def pause(self, attempt: int, retry_after: str | None, chance: float) -> float:
        """Return the seconds to wait after an attempt, the first being 0.

        What the server says is heeded, and stretched a little, lest all come back at once;
        without a word the pauses double. `chance` is from 0 to 1.
        """
        if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
            return int(retry_after) + chance
        longest = min(self.pause_seconds_max, self.first_seconds * 2.0 ** min(attempt, 30))
        return longest * (0.5 + chance / 2)
