"""Faust's consumer for command topics: it hands agents hauls, and commits what they acknowledge.

It stands in for the part of Faust between a fetch and a stream. What that part guards is guarded
here: nothing is handed on while partitions move, and what was fetched then is fetched again.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from faust.transport.drivers.aiokafka import ensure_aiokafka_TP
from faust.types import TP
from mode.utils.futures import notify

from streams.consumer import CommittedConsumer, CommittedTransport
from streams.hauls import Haul, count
from streams.stopping import check_stopping

log = logging.getLogger(__name__)

# So much waits for one agent before no more is fetched for it: some batches.
WAITING_RECORDS_MAX = 2000
FETCH_SECONDS_MAX = 1.0
# While an agent has enough, those that have not are asked for so long; then it may have room.
CROWDED_SECONDS_MAX = 0.05
FETCH_AGAIN_SECONDS = 0.5


class HaulConsumer(CommittedConsumer):
    """A consumer whose streams yield hauls. Each topic has one agent."""

    _gave_away = False

    async def _drain_messages(self, fetcher: Any) -> None:
        """Fetch and hand on, until the app stops: Faust's fetcher runs this."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self._fetch()
        except (asyncio.CancelledError, *self.consumer_stopped_errors):
            if not self.app.should_stop:
                raise
            log.info("fetching ends, for the worker stops")

    async def _fetch(self) -> None:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        if not self.app.flow_control.is_active():
            await self.wait(self.app.flow_control.acquire())
        if self._gave_away:
            self._gave_away = not await self._fetch_again()
            if self._gave_away:
                await self.sleep(FETCH_AGAIN_SECONDS)
            return
        generation = self.app.consumer_generation_id
        wanted, seconds_max = self._wanted()
        if not wanted:
            await self.sleep(CROWDED_SECONDS_MAX)
            return
        fetched = await self._getmany(wanted, seconds_max)
        if self.should_stop or not fetched:
            return
        # What is given away is past the fetcher's position: until that is put back, nothing else
        # would bring it before partitions move again.
        self._gave_away = not self._hand_on(fetched, generation)

    def _wanted(self) -> tuple[set[Any], float]:
        """Return the partitions whose agents have room, and how long to wait for records."""
        active: set[Any] = self._get_active_partitions()
        crowded = {
            topic
            for topic, channels in self.app.topics._topic_name_index.items()
            if any(count(channel.queue._queue) >= WAITING_RECORDS_MAX for channel in channels)
        }
        if not crowded:
            # Faust's own set: what it resumes meanwhile is fetched too.
            return active, FETCH_SECONDS_MAX
        return {tp for tp in active if tp.topic not in crowded}, CROWDED_SECONDS_MAX

    def _hand_on(self, fetched: Mapping[Any, list[Any]], generation: int) -> bool:
        """Lay hauls on the agents' queues; tell whether all was handed on.

        Nothing may come in between: no partition moves while this runs.
        """
        app = self.app
        if not (
            self.flow_active
            and app.flow_control.is_active()
            and app.consumer_generation_id == generation
        ):
            return False
        active = self._get_active_partitions()
        for tp, messages in fetched.items():
            unread = self._unread(tp, messages) if tp in active else []
            if unread:
                haul = Haul(TP(*tp), unread, generation)
                self._read_offset[tp] = haul.end
                # Two agents of one topic would acknowledge for each other.
                (channel,) = app.topics._tp_index[tp]
                channel.queue.force_put_nowait(haul)
        return all(tp in active for tp in fetched)

    def _unread(self, tp: Any, messages: list[Any]) -> list[Any]:
        read = self._read_offset[tp]
        if read is None or messages[0].offset >= read:
            return messages
        return [message for message in messages if message.offset >= read]

    async def _fetch_again(self) -> bool:
        """Begin anew at what is committed, and tell whether that was done.

        Where nothing is committed yet, that is the first record: Faust's seek leaves such a
        partition behind what was given away.
        """
        if not self.assignment():
            # All of it is others' now; Faust's seek would fail for want of partitions.
            return True
        try:
            await self.perform_seek()
            uncommitted = [tp for tp in self.assignment() if not self._read_offset[tp]]
            if uncommitted:
                await self.seek_wait(await self.earliest_offsets(*uncommitted))
        except Exception as error:
            check_stopping(error)
            # Partitions move again, or the broker does not answer.
            log.warning("fetching again does not succeed yet: %r", error)
            return False
        return True

    async def earliest_offsets(self, *partitions: TP) -> Mapping[TP, int]:
        """Return where partitions begin. Faust hands its own kind of partition on, which fails."""
        first = await super().earliest_offsets(*map(ensure_aiokafka_TP, partitions))
        return {TP(*tp): offset for tp, offset in first.items()}

    def acknowledge(self, hauls: Iterable[Haul]) -> None:
        """Let what these hauls brought be committed, with all that came before it.

        Who calls has applied all of it: hauls of a partition are acknowledged in their order.
        """
        for haul in hauls:
            haul.acked = True
            self.unacked.discard(haul)
            self._acked[haul.tp].append(haul.end)
        notify(self._waiting_for_ack)

    def _new_offset(self, tp: Any) -> int | None:
        """Return up to where a partition is acknowledged, once."""
        ends: Collection[int] = self._acked.pop(tp, ())
        return max(ends, default=None)


class HaulTransport(CommittedTransport):
    """Faust's transport with that consumer."""

    Consumer = HaulConsumer
