"""What a worker takes for the end of its part in the group, and what it waits through."""

import asyncio
from types import SimpleNamespace
from typing import Any

from streams.membership import ERROR_LOOKS_MAX, MOVING_LOOKS_MAX, Membership


def app_at_work() -> Any:
    """As much of a Faust app as is looked at, well and at rest."""
    running: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    coordinator = SimpleNamespace(
        _coordination_task=running, _pending_exception=None, coordinator_id=1
    )
    consumer = SimpleNamespace(
        _coordinator=coordinator,
        _fetcher=SimpleNamespace(_fetch_task=running),
        _client=SimpleNamespace(_sync_task=running),
    )
    thread = SimpleNamespace(_thread=SimpleNamespace(is_alive=lambda: True), _consumer=consumer)
    return SimpleNamespace(
        crashed=False, rebalancing=False, rebalancing_count=1,
        consumer=SimpleNamespace(_thread=thread), coordinator=coordinator,
    )  # fmt: skip


def looks(app: Any, number: int) -> str:
    """What is said after so many looks."""
    membership = Membership(app)
    return [membership.why_ended() for _ in range(number)][-1]


async def test_a_consumer_that_was_not_started_is_waited_for() -> None:
    app = app_at_work()
    app.consumer._thread._consumer = None
    assert looks(app, 1) == ""


async def test_what_has_ended_is_told_at_once() -> None:
    app = app_at_work()
    assert looks(app, 1) == ""
    app.consumer._thread._consumer._client._sync_task = asyncio.get_running_loop().create_future()
    app.consumer._thread._consumer._client._sync_task.set_exception(ValueError("blind"))
    assert looks(app, 1) == "the consumer's look for brokers has ended: ValueError('blind')"
    app.coordinator._coordination_task = asyncio.get_running_loop().create_future()
    app.coordinator._coordination_task.set_exception(ValueError("lost"))
    assert looks(app, 1) == "the consumer's part in its group has ended: ValueError('lost')"
    app.consumer._thread._thread.is_alive = lambda: False
    assert looks(app, 1) == "the consumer's thread has ended"
    app.crashed, app.crash_reason = True, ValueError("crashed")
    assert looks(app, 1) == "Faust crashed: ValueError('crashed')"


async def test_an_error_that_nobody_takes_is_told_after_a_moment() -> None:
    app = app_at_work()
    app.coordinator._pending_exception = ValueError("no")
    assert looks(app, ERROR_LOOKS_MAX) == ""
    assert "does not take this consumer" in looks(app, ERROR_LOOKS_MAX + 1)


async def test_partitions_that_move_without_end_are_told() -> None:
    app = app_at_work()
    app.rebalancing = True
    assert looks(app, MOVING_LOOKS_MAX) == ""
    assert looks(app, MOVING_LOOKS_MAX + 1) == "partitions have moved without end"


async def test_a_broker_that_is_away_is_waited_for() -> None:
    app = app_at_work()
    app.rebalancing, app.coordinator.coordinator_id = True, None
    assert looks(app, 2 * MOVING_LOOKS_MAX) == ""


async def test_each_move_of_partitions_has_its_time() -> None:
    app = app_at_work()
    membership = Membership(app)
    app.rebalancing = True
    for number in range(2 * MOVING_LOOKS_MAX):
        app.rebalancing_count = number // (MOVING_LOOKS_MAX - 1)
        assert membership.why_ended() == ""
