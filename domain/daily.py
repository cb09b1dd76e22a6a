"""The rules of the daily batch: which days' rankings are due, and when to look again.

Pure: no clock, no input, no output. A day is the one that begins with the midnight in question;
its ranking sums what was sold in the hours before that midnight.
"""

from collections.abc import Collection
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from domain.ranking import daily_window, day_of

# Whoever was away for longer wants today's ranking first; older days are made by hand.
DUE_DAYS_MAX = 7
# A computer that slept, or whose clock was set, has missed its alarm: so the clock is looked at.
LOOK_SECONDS_MAX = 30.0

_DAY = timedelta(days=1)


def due_days(
    stored: Collection[date], first_sale_ms: int | None, now_ms: int, zone: ZoneInfo
) -> list[date]:
    """List the days whose midnight has come and that have no stored ranking, oldest first.

    Today and the six days before it, from the first midnight after the first sale on: before
    it there is nothing to rank.
    """
    if first_sale_ms is None:
        return []
    today = day_of(now_ms, zone)
    day = max(day_of(first_sale_ms, zone) + _DAY, today - (DUE_DAYS_MAX - 1) * _DAY)
    days = [day + number * _DAY for number in range((today - day).days + 1)]
    return [each for each in days if each not in stored]


def seconds_until_look(now_ms: int, zone: ZoneInfo) -> float:
    """Return how long to wait for the next look at what is due: never past a midnight."""
    midnight_ms = daily_window(day_of(now_ms, zone) + _DAY, zone).end_ms
    return min((midnight_ms - now_ms) / 1000, LOOK_SECONDS_MAX)
