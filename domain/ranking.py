"""The rules of the ranking: hours, the window over them, what counts once, and the merge.

Pure: no clock, no input, no output. Times are epoch milliseconds; hours are UTC hours, named by
the millisecond they begin with.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000
WINDOW_HOURS = 72
TOP_MAX = 100
# Clocks of brokers and workers differ a little; a sale dated further ahead is a bad producer's.
AHEAD_MS_MAX = 300_000
# How far the clocks of two ranking workers may be apart; shorter than any session timeout.
CLOCKS_MS_MAX = 5_000


class Window(NamedTuple):
    """A span of time: from its start on, up to but without its end."""

    start_ms: int
    end_ms: int


def hour_of(at_ms: int) -> int:
    """Return the start of the UTC hour that a time lies in."""
    return at_ms - at_ms % HOUR_MS


def live_window(now_ms: int, hours: int = WINDOW_HOURS) -> Window:
    """Return the window of the live ranking: the current hour and the ones before it."""
    end_ms = hour_of(now_ms) + HOUR_MS
    return Window(end_ms - hours * HOUR_MS, end_ms)


def daily_window(day: date, zone: ZoneInfo, hours: int = WINDOW_HOURS) -> Window:
    """Return the hours before the midnight that a day begins with, in a time zone.

    Raises ValueError where that midnight is not on the whole hour of UTC: its window would cut
    the hours that the live ranking counts by.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    end_ms = int(midnight.timestamp()) * 1000
    if end_ms % HOUR_MS:
        message = f"{zone.key} is off the whole hour on {day}; the ranking counts whole hours"
        raise ValueError(message)
    return Window(end_ms - hours * HOUR_MS, end_ms)


def day_of(now_ms: int, zone: ZoneInfo) -> date:
    """Return the calendar day of a time, in a time zone."""
    return datetime.fromtimestamp(now_ms // 1000, zone).date()


def hours_in(window: Window) -> list[int]:
    """List the hours of a window, the first one first."""
    return list(range(window.start_ms, window.end_ms, HOUR_MS))


class SourcePartition(NamedTuple):
    """A partition of the command log, in one log epoch's life."""

    topic: str
    partition: int


class LogPoint(NamedTuple):
    """A point in a partition's life; a later epoch comes after every offset of an earlier one."""

    epoch: int
    offset: int


@dataclass(frozen=True, slots=True)
class Sale:
    """So many pieces sold at a time, caused by the command that stood at `point` of `source`."""

    product_id: int
    quantity: int
    sold_at_ms: int
    source: SourcePartition
    point: LogPoint


@dataclass(frozen=True, slots=True)
class Tally:
    """What one product sold in one hour, and the last point counted of each source.

    Every source publishes its sales in order, so a point that is not after the last one counted
    is a repetition.
    """

    quantity: int = 0
    counted: Mapping[SourcePartition, LogPoint] = field(default_factory=dict)

    def count(self, sale: Sale) -> "Tally":
        """Return the tally with a sale counted; itself, where the sale was counted before."""
        last = self.counted.get(sale.source)
        if last is not None and sale.point <= last:
            return self
        return Tally(self.quantity + sale.quantity, {**self.counted, sale.source: sale.point})


class TopEntry(NamedTuple):
    """One place of a top list."""

    product_id: int
    quantity: int


@dataclass(frozen=True, slots=True)
class TopList:
    """The best-selling products of one partition, as its owner knew them at `as_of_ms`.

    `generation` grows whenever partitions change their owner. `owner` is the address of the
    owner's web views, `loaded_at_ms` the time at which it last began to set its values from the
    database: began, so that one that was frozen meanwhile is not taken for the later owner.
    """

    partition: int
    generation: int
    window: Window
    as_of_ms: int
    entries: tuple[TopEntry, ...]
    owner: str = ""
    loaded_at_ms: int = 0


def supersedes(new: TopList, held: TopList | None) -> bool:
    """Tell whether a list that comes later in the log replaces the one held.

    A list of a later hour does: its sender's clock has turned, and today's owner repeats its own
    list on the hour, so it has the last word in any case. Otherwise the later load does. A former
    owner's late list (a zombie's) was loaded before the present owner's; the generation alone
    would not tell, since a group that was forgotten begins its generations anew. Only where two
    loads are so close that the clocks of two machines may disagree about their order does the
    generation decide; a group is not forgotten within that time, since its members' sessions
    outlast it. Of two lists of one load the later in the log is the newer.
    """
    if held is None or new.window.end_ms > held.window.end_ms:
        return True
    later_ms = new.loaded_at_ms - held.loaded_at_ms
    if abs(later_ms) > CLOCKS_MS_MAX:
        return later_ms > 0
    return new.generation >= held.generation


def rank_order(entry: TopEntry) -> tuple[int, int]:
    """Return what entries are sorted by: most pieces first, then the lower product id."""
    return (-entry.quantity, entry.product_id)


def merge_tops(lists: Iterable[TopList], limit: int = TOP_MAX) -> tuple[TopEntry, ...]:
    """Merge the partitions' lists. Exact, since each product lives in one partition only."""
    entries = sorted((entry for top in lists for entry in top.entries), key=rank_order)
    return tuple(entries[:limit])
