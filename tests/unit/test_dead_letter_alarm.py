"""When dead letters are too many, and when they are not any more."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.dead_letter_alarm import (
    LETTERS_MIN,
    WINDOW_SECONDS,
    Thresholds,
    Watched,
    watch,
)
from streams.records import Partition

HERE, THERE = ("user-commands", 4), ("coupon-commands", 0)
LIMITS = Thresholds(in_a_row_max=20, percent_max=10.0)
WINDOW_MS = WINDOW_SECONDS * 1000

Outcome = tuple[Partition, bool]


def dead(count: int, at: Partition = HERE) -> list[Outcome]:
    return [(at, True)] * count


def good(count: int, at: Partition = HERE) -> list[Outcome]:
    return [(at, False)] * count


def after(*batches: list[Outcome], now_ms: int = 0, since: Watched | None = None) -> Watched:
    """Count batches that come at one moment."""
    watched = since or Watched()
    for batch in batches:
        watched = watch(watched, batch, now_ms, LIMITS)
    return watched


def cause_of(watched: Watched) -> str | None:
    return watched.alarm.cause if watched.alarm else None


#   batches                                                cause
CAUSES: list[tuple[list[list[Outcome]], str | None]] = [
    ([], None),
    ([dead(20)], "20 of the last minute's 20 records"),
    ([good(300), dead(20)], None),
    ([good(300), dead(21)], "21 in a row in user-commands[4]"),
    ([good(300), dead(15), dead(6)], "21 in a row in user-commands[4]"),
    ([good(300), dead(15), good(1), dead(6)], None),
    ([good(300), dead(15), good(9, THERE), dead(6)], "21 in a row in user-commands[4]"),
    ([good(300), dead(11), dead(10, THERE)], "21 in a row over all partitions"),
    ([good(300), dead(30) + good(1)], "30 in a row in user-commands[4]"),
    ([(good(9) + dead(1)) * 30], None),
    ([(good(8) + dead(1)) * 30], "30 of the last minute's 270 records"),
    ([(good(8) + dead(1)) * (LETTERS_MIN - 1)], None),
]


@pytest.mark.parametrize(("batches", "cause"), CAUSES)
def test_an_alarm_begins_by_a_run_or_by_a_share(
    batches: list[list[Outcome]], cause: str | None
) -> None:
    assert cause_of(after(*batches)) == cause


def test_a_share_is_of_the_last_minute() -> None:
    earlier = after(good(1_000))
    assert cause_of(after(dead(20), now_ms=WINDOW_MS - 1, since=earlier)) is None
    later = after(dead(20), now_ms=WINDOW_MS, since=earlier)
    assert cause_of(later) == "20 of the last minute's 20 records"


def test_an_alarm_keeps_its_cause_and_its_beginning() -> None:
    raised = after(dead(21), now_ms=500)
    assert after(dead(50), now_ms=900, since=raised).alarm == raised.alarm
    assert raised.alarm is not None
    assert raised.alarm.began_at_ms == 500


def test_an_alarm_ends_when_a_minute_had_no_dead_letters() -> None:
    raised = after(dead(21))
    assert after([], now_ms=WINDOW_MS - 1, since=raised).alarm is not None
    ended = after([], now_ms=WINDOW_MS, since=raised)
    assert ended.alarm is None
    # The run that raised it does not raise it again.
    assert after(dead(1), now_ms=WINDOW_MS, since=ended).alarm is None


#   good records after 21 dead ones      alarm is raised still
SWINGING: list[tuple[int, bool]] = [(0, True), (1, True), (189, True), (398, True), (399, False)]


@pytest.mark.parametrize(("count", "is_raised"), SWINGING)
def test_an_alarm_ends_below_half_of_what_raised_it(count: int, *, is_raised: bool) -> None:
    assert (after(dead(21), good(count)).alarm is not None) is is_raised


def test_a_run_must_be_short_too_before_an_alarm_ends() -> None:
    raised = after(dead(21))
    assert after(good(999) + dead(11), since=raised).alarm is not None
    assert after(good(999) + dead(10), since=raised).alarm is None


steps = st.lists(
    st.tuples(
        st.integers(0, 20_000),
        st.lists(st.tuples(st.sampled_from([HERE, THERE]), st.booleans()), max_size=60),
    ),
    max_size=30,
)


@given(steps)
def test_whatever_came_a_quiet_minute_ends_the_alarm(
    listed: list[tuple[int, list[Outcome]]],
) -> None:
    watched, now_ms = Watched(), 0
    for waited_ms, batch in listed:
        now_ms += waited_ms
        watched = watch(watched, batch, now_ms, LIMITS)
    assert watch(watched, [], now_ms + WINDOW_MS, LIMITS).alarm is None


@given(steps)
def test_batches_tell_the_minute_as_it_was(listed: list[tuple[int, list[Outcome]]]) -> None:
    times = list(accumulate(waited_ms for waited_ms, _ in listed))
    watched = Watched()
    for number, (now_ms, (_, batch)) in enumerate(zip(times, listed, strict=True)):
        watched = watch(watched, batch, now_ms, LIMITS)
        recent = [
            outcome
            for at_ms, (_, outcomes) in zip(times[: number + 1], listed, strict=False)
            if at_ms // 1000 > now_ms // 1000 - WINDOW_SECONDS
            for outcome in outcomes
        ]
        assert (watched.minute.records, watched.minute.letters) == (
            len(recent),
            sum(is_dead for _, is_dead in recent),
        )
        assert len(watched.seconds) <= WINDOW_SECONDS
        assert all(a.number < b.number for a, b in pairwise(watched.seconds))


@given(st.lists(st.tuples(st.sampled_from([HERE, THERE]), st.booleans()), max_size=99))
def test_how_records_are_cut_into_batches_does_not_matter_to_runs(listed: list[Outcome]) -> None:
    whole = after(listed)
    one_by_one = after(*([one] for one in listed))
    if whole.alarm is None and one_by_one.alarm is None:
        assert (whole.run, whole.runs) == (one_by_one.run, one_by_one.runs)
