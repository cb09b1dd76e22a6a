"""Looks at a Faust app from outside: whether its agents go on with the work that is there.

Faust itself says nothing. An agent that waits for ever, a fetcher that has ended: the process runs
on, and its users wait. Whether the app still takes part in its group is asked by `Membership`.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

from streams.liveness import TOLD_LOOKS_MAX, Liveness
from streams.records import Partition
from streams.stillness import Stillness


class Span(NamedTuple):
    """What of a partition is not applied: from its mark up to the end of the log."""

    mark: int
    end: int


@dataclass(frozen=True, slots=True)
class LookLimits:
    """How often is looked, and for how many looks something may stand still."""

    look_seconds: float = 1.0
    # A batch is given up after 15 s and a send after 12, so an agent that is only slow moves in
    # between; and what stands still for good is told within 30 s.
    looks_max: int = 20
    told_looks_max: int = TOLD_LOOKS_MAX


def looks_for(retry_seconds_max: float) -> LookLimits:
    """Return the limits of a worker that retries for so long: that is no standing still."""
    return LookLimits(looks_max=max(LookLimits().looks_max, ceil(retry_seconds_max) + 5))


class FaustWatch:
    """Looks at the app of this process; what it finds is noted in the liveness."""

    def __init__(self, app: Any, liveness: Liveness, limits: LookLimits) -> None:
        self._app = app
        self._liveness = liveness
        self._limits = limits
        self._stillness = Stillness()
        self._actors: dict[str, Any] = {}

    @property
    def is_assigned(self) -> bool:
        """Tell whether the group has given this member its part, be it none."""
        return self._app._assignment is not None and not self._app.rebalancing

    @property
    def is_recovered(self) -> bool:
        """Tell whether tables hold what they held."""
        return not self._app.in_recovery

    @property
    def assigned(self) -> set[Partition]:
        """The partitions that are this worker's."""
        return {(tp.topic, tp.partition) for tp in self._app.consumer.assignment()}

    def look(self, spans: Mapping[Partition, Span], *, may_move: bool) -> None:
        """Look once. While a service is away nothing needs to move (`may_move`)."""
        may_move = may_move and self.is_assigned
        unacked = self._unacked()
        note = self._liveness.note
        note("agents", self._dead_agents() or self._still_agents(spans, unacked, may_move))
        note("delivery", self._still_delivery(spans, unacked, may_move))
        note("fetcher", self._dead_fetcher(may_move))
        note("consumerThread", self._dead_thread())
        self._liveness.end_look(self._limits.told_looks_max)

    def _unacked(self) -> dict[str, dict[Partition, int]]:
        """Return the first offset in hand of each partition, by topic."""
        found: dict[str, dict[Partition, int]] = defaultdict(dict)
        for message in self._app.consumer.unacked:
            first = found[message.topic]
            key = (message.topic, message.partition)
            first[key] = min(message.offset, first.get(key, message.offset))
        return found

    def _dead_agents(self) -> str:
        """Name the agents whose first task has ended: one begun anew lacks what that one held."""
        for agent in self._app.agents.values():
            for actor in agent._actors:
                self._actors.setdefault(agent.name, actor)
        dead = [name for name, actor in self._actors.items() if actor.actor_task.done()]
        return f"ended: {', '.join(dead)}" if dead else ""

    def _still_agents(
        self,
        spans: Mapping[Partition, Span],
        unacked: Mapping[str, Mapping[Partition, int]],
        may_move: bool,
    ) -> str:
        still = []
        for name, actor in self._actors.items():
            topics = actor.stream.channel.topics
            held = {
                key: first for topic in topics for key, first in unacked.get(topic, {}).items()
            }
            marks = {key: span.mark for key, span in spans.items() if key[0] in topics}
            has_work = bool(held) or not actor.stream.channel.queue.empty()
            place = (frozenset(held.items()), frozenset(marks.items()))
            if self._stands(name, place, has_work=has_work and may_move):
                still.append(name)
        return f"stands still with work in hand: {', '.join(still)}" if still else ""

    def _still_delivery(
        self,
        spans: Mapping[Partition, Span],
        unacked: Mapping[str, Mapping[Partition, int]],
        may_move: bool,
    ) -> str:
        """Tell whether records wait in the log, and nothing at all of this worker moves."""
        waiting = {key: span for key, span in spans.items() if span.mark < span.end}
        held = frozenset(item for first in unacked.values() for item in first.items())
        marks = frozenset((key, span.mark) for key, span in spans.items())
        if not self._stands("delivery", (held, marks), has_work=bool(waiting) and may_move):
            return ""
        return "none of the records that wait comes in: " + ", ".join(
            f"{topic}[{number}] {span.end - span.mark}"
            for (topic, number), span in sorted(waiting.items())
        )

    def _dead_fetcher(self, may_move: bool) -> str:
        is_gone = all(future.done() for future in self._app._fetcher._futures)
        is_needed = may_move and bool(self.assigned)
        stands = self._stands("fetcher", "gone", has_work=is_gone and is_needed)
        return "nothing fetches records any more" if stands else ""

    def _dead_thread(self) -> str:
        thread = self._app.consumer._thread._thread
        return "" if thread is None or thread.is_alive() else "the consumer's thread has ended"

    def _stands(self, name: str, place: Hashable, *, has_work: bool) -> bool:
        return self._stillness.look(name, place, has_work=has_work) >= self._limits.looks_max
