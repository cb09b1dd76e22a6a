"""An edge that is itself what everybody waits for: it says so before it drowns."""

from dataclasses import replace

from tests.door import TICK_SECONDS
from web.backlog import Limits
from web.door import RATE_FIRST, Door

LIMITS = Limits(queue_seconds_max=2.0)
NOW = 1_000.0


def test_an_edge_that_rests_lets_a_burst_in() -> None:
    door = Door(LIMITS)
    for number in range(4_000):
        assert door.retry_after(str(number), NOW) is None
        door.begin()


def crowded(
    per_second: float, seconds: float, come: float
) -> tuple[Door, list[int | None], float]:
    """So many come each second, and so many are done; return what the last second was told."""
    door, told, due, done, now = Door(LIMITS), [], 0.0, 0.0, NOW
    while now < NOW + seconds:
        now += TICK_SECONDS
        due += come * TICK_SECONDS
        while due >= 1:
            due -= 1
            answer = door.retry_after(f"{now} {due}", now)
            if answer is None:
                door.begin()
            if now > NOW + seconds - 1:
                told.append(answer)
        done = min(done + per_second * TICK_SECONDS, door.line.outstanding)
        while done >= 1:
            done -= 1
            door.end()
    return door, told, now


def test_an_edge_that_does_less_than_comes_refuses_the_rest() -> None:
    door, told, _ = crowded(per_second=200.0, seconds=20.0, come=600.0)
    assert 150 < door.line.rate < 250
    # What is in hand is done within the budget.
    assert door.line.outstanding / 200.0 <= 2.1
    joined = sum(answer is None for answer in told)
    assert 120 <= joined <= 260
    assert all(answer is None or answer >= 1 for answer in told)


def test_an_edge_that_does_what_comes_refuses_nobody() -> None:
    door, told, now = crowded(per_second=2_000.0, seconds=5.0, come=300.0)
    assert set(told) == {None}
    assert door.retry_after("anybody", now) is None
    # Few came: that says nothing of what it can do.
    assert door.line.rate == RATE_FIRST


def test_those_who_wait_to_be_let_in_are_before_whoever_comes() -> None:
    door = Door(LIMITS)
    assert door.retry_after("a", NOW, before=1_999) is None
    assert door.retry_after("b", NOW, before=3_999) is None
    told = door.retry_after("c", NOW, before=4_001)
    assert told == 2
    # Once let in, nobody is before him.
    assert door.retry_after("d", NOW) is None


def test_no_more_are_taken_in_hand_than_an_edge_can_hold() -> None:
    door = Door(replace(LIMITS, in_hand_max=500))
    for number in range(501):
        assert door.retry_after(str(number), NOW) is None
        door.begin()
    assert door.retry_after("one more", NOW) == 1


def test_outcomes_that_do_not_come_are_not_the_doors_to_judge() -> None:
    door = Door(LIMITS)
    for number in range(100):
        assert door.retry_after(str(number), NOW + number * 0.1) is None
        door.begin()
    assert door.retry_after("anybody", NOW + 12.0) is None
