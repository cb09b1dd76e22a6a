"""Whether a Faust app still takes part in its consumer group; what has ended there never returns.

A broker that is away is no reason to leave, however long: the consumer looks for it by itself, and
a new process would do nothing else.
"""

from typing import Any

from streams.stillness import Stillness

LOOK_SECONDS = 0.2
# What the group's coordinator refuses is told to whoever asks, and Faust never asks: the
# consumer waits for ever. A moment, in case somebody has asked.
ERROR_LOOKS_MAX = 25
# A request is given up after 90 s, and another coordinator is looked for; so two minutes of moving
# partitions, with the coordinator known, are of a consumer that waits for what never comes.
MOVING_LOOKS_MAX = 600


class Membership:
    """Looks at the consumer, which lives in a thread and in tasks of its own."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._stillness = Stillness()

    def why_ended(self) -> str:
        """Look once; return why the app cannot go on by itself, or nothing as long as it can."""
        if self._app.crashed:
            return f"Faust crashed: {self._app.crash_reason!r}"
        thread = self._app.consumer._thread
        if thread._consumer is None or thread._consumer._coordinator is None:
            return ""
        if not thread._thread.is_alive():
            return "the consumer's thread has ended"
        coordinator = thread._consumer._coordinator
        return (
            _ended("the consumer's part in its group", coordinator._coordination_task)
            or _ended("the consumer's fetching", thread._consumer._fetcher._fetch_task)
            # Without it a coordinator that is lost is waited for without an end.
            or _ended("the consumer's look for brokers", thread._consumer._client._sync_task)
            or self._refused(coordinator)
            or self._without_end(coordinator)
        )

    def _refused(self, coordinator: Any) -> str:
        error = coordinator._pending_exception
        looks = self._stillness.look("error", id(error), has_work=error is not None)
        lasts = looks >= ERROR_LOOKS_MAX
        return f"the group does not take this consumer: {error!r}" if lasts else ""

    def _without_end(self, coordinator: Any) -> str:
        app = self._app
        # While the coordinator is not known, the broker is away.
        is_moving = app.rebalancing and coordinator.coordinator_id is not None
        looks = self._stillness.look("moving", app.rebalancing_count, has_work=is_moving)
        return "partitions have moved without end" if looks >= MOVING_LOOKS_MAX else ""


def _ended(what: str, task: Any) -> str:
    # There is none before the start and after the stop.
    if task is None or not task.done():
        return ""
    return f"{what} has ended: {'cancelled' if task.cancelled() else repr(task.exception())}"
