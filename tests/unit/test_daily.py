"""Which days' rankings are due: at midnight, after missed ones, and when clocks are changed."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.daily import DUE_DAYS_MAX, due_days, seconds_until_look
from domain.ranking import HOUR_MS, daily_window, day_of

SEOUL = ZoneInfo("Asia/Seoul")
# Clocks are changed in the night in Berlin, at midnight itself in Beirut and in Havana; Samoa left
# out a whole day.
ZONES = ["Asia/Seoul", "UTC", "Europe/Berlin", "America/New_York", "Asia/Beirut"]
ZONES += ["America/Havana", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia"]
DAY = timedelta(days=1)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def days(text: str) -> list[date]:
    """Days of March 2026."""
    return [date(2026, 3, int(each)) for each in text.split()]


LONG_AGO = ms("2026-01-01T00:00+09:00")
NIGHT, NOON = "2026-03-10T00:00+09:00", "2026-03-10T12:00+09:00"

#   now                                stored          first sale                    due
DUE = [
    # At midnight, and not a millisecond before it.
    ("2026-03-09T23:59:59.999+09:00", "3 4 5 6 7 8 9", "2026-01-01T00:00+09:00", ""),
    (NIGHT, "4 5 6 7 8 9", "2026-01-01T00:00+09:00", "10"),
    (NIGHT, "4 5 6 7 8 9 10", "2026-01-01T00:00+09:00", ""),
    # Missed ones come first; no more than a week in all.
    (NOON, "4 5 6 7 8", "2026-01-01T00:00+09:00", "9 10"),
    (NOON, "3", "2026-01-01T00:00+09:00", "4 5 6 7 8 9 10"),
    (NOON, "", "2026-01-01T00:00+09:00", "4 5 6 7 8 9 10"),
    # One that was made by hand leaves the others due.
    (NOON, "4 5 6 10", "2026-01-01T00:00+09:00", "7 8 9"),
    # The first sale's own day has a midnight before it, which knew of none.
    (NOON, "", "2026-03-10T11:59+09:00", ""),
    (NOON, "", "2026-03-09T23:59:59.999+09:00", "10"),
    (NOON, "", "2026-03-09T00:00+09:00", "10"),
    (NOON, "", "2026-03-08T23:59:59.999+09:00", "9 10"),
    (NOON, "", None, ""),
    (NOON, "9 10", None, ""),
    # A clock that was ahead, and is right again.
    (NOON, "10 11 12", "2026-03-09T00:00+09:00", ""),
    ("2026-03-08T12:00+09:00", "3 4 5 6 7 8 10", "2026-01-01T00:00+09:00", "2"),
    ("2026-03-08T12:00+09:00", "", "2026-03-10T00:00+09:00", ""),
]


@pytest.mark.parametrize(("now", "stored", "first_sale", "due"), DUE)
def test_due_is_what_has_come_and_is_not_stored(
    now: str, stored: str, first_sale: str | None, due: str
) -> None:
    first_sale_ms = None if first_sale is None else ms(first_sale)
    assert due_days(days(stored), first_sale_ms, ms(now), SEOUL) == days(due)


#   Berlin, 29 March 2026: 02:00 becomes 03:00.  25 October: 03:00 becomes 02:00, again.
@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 3, 30), date(2026, 10, 26)])
def test_midnight_is_the_zones_own_also_when_its_clocks_are_changed(day: date) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    midnight_ms = daily_window(day, berlin).end_ms
    stored = [day - number * DAY for number in range(1, 8)]
    assert due_days(stored, LONG_AGO, midnight_ms - 1, berlin) == []
    assert due_days(stored, LONG_AGO, midnight_ms, berlin) == [day]


moments = st.integers(ms("2007-01-01T00:00+00:00"), ms("2030-01-01T00:00+00:00"))


@given(moments, st.sampled_from(ZONES), st.sets(st.integers(-2, 12)), st.integers(0, 20))
def test_each_midnight_of_the_last_week_is_stored_or_due_in_any_zone(
    now_ms: int, name: str, days_stored: set[int], days_sold: int
) -> None:
    zone = ZoneInfo(name)
    today = day_of(now_ms, zone)
    stored = {today - number * DAY for number in days_stored}
    first_sale_ms = now_ms - days_sold * 24 * HOUR_MS
    due = due_days(stored, first_sale_ms, now_ms, zone)
    assert due == sorted(set(due) - stored)
    assert len(due) <= DUE_DAYS_MAX
    for number in range(DUE_DAYS_MAX):
        day = today - number * DAY
        midnight_ms = daily_window(day, zone).end_ms
        assert midnight_ms <= now_ms
        was_sold = day > day_of(first_sale_ms, zone)
        assert (day in due) is (was_sold and day not in stored)


@given(moments, st.sampled_from(ZONES), st.integers(1, 60_000))
def test_a_look_is_never_late_for_a_midnight(at_ms: int, name: str, before_ms: int) -> None:
    zone = ZoneInfo(name)
    midnight_ms = daily_window(day_of(at_ms, zone), zone).end_ms
    for now_ms in (at_ms, midnight_ms - before_ms):
        seconds = seconds_until_look(now_ms, zone)
        assert 0 < seconds <= 30
        then_ms = now_ms + round(seconds * 1000)
        today = day_of(now_ms, zone)
        assert day_of(then_ms - 1, zone) == today
        # Where it waits less than it may, then for a midnight.
        assert seconds == 30 or day_of(then_ms, zone) > today


def test_the_days_of_a_window_are_told_apart_by_the_zone() -> None:
    now_ms = round(datetime(2026, 3, 9, 15, tzinfo=UTC).timestamp() * 1000)
    assert due_days([], now_ms - 1, now_ms, SEOUL) == days("10")
    assert due_days([], now_ms - 1, now_ms, ZoneInfo("UTC")) == []
