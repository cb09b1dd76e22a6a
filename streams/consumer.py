"""Faust's consumer as our workers need it: committed records only, and an end within seconds."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from aiokafka.errors import KafkaError
from aiokafka.protocol.group import LeaveGroupRequest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

log = logging.getLogger(__name__)

# A group that divides its partitions ends its round with the slowest member's next heartbeat.
# Who waits longer than this waits for one that is frozen or dead.
DISCONNECT_SECONDS_MAX = 4.0
# For so long a broker keeps a fetch that finds nothing. While one partition's records wait to be
# read, the client fetches from the others, and for that one again only when it has its answer:
# with Faust's 1500 ms one partition far behind was drained at half its speed.
FETCH_WAIT_MS = 100
LEAVE_SECONDS_MAX = 1.0


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust reads committed records only under exactly_once; a direct producer's aborted
        # transaction must not be applied. The fetcher reads these attributes when it starts.
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    def close(self) -> None:
        """Do nothing: `on_thread_stop` disconnects.

        Faust calls this from the app's thread, when partitions move while the app stops. It would
        take the connections from under an acknowledgement, which would be tried again for ever.
        """

    async def on_thread_stop(self) -> None:
        """Disconnect, and let who waits for the thread's end see it in any case."""
        try:
            async with asyncio.timeout(DISCONNECT_SECONDS_MAX):
                await super().on_thread_stop()
        except (TimeoutError, asyncio.CancelledError):
            # The group is dividing its partitions, and what it asks of this consumer nobody
            # answers any more, or ended with it. Raised on, it would end the thread before it
            # says so, and the worker would wait on.
            log.warning("leaving the group while partitions are on the move")
            await self._leave_group()

    async def _leave_group(self) -> None:
        """Tell the group, on a connection where nothing else is waited for, and disconnect."""
        if self._consumer is None:
            return
        coordinator, client = self._consumer._coordinator, self._consumer._client
        # The others go on at once, instead of after a session timeout.
        leave = LeaveGroupRequest(coordinator.group_id, coordinator.member_id)
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(LEAVE_SECONDS_MAX):
                if self.app.conf.consumer_group_instance_id is None and coordinator.member_id:
                    await client.send(coordinator.coordinator_id, leave)
                await client.close()


class CommittedConsumer(driver.Consumer):
    """Faust's consumer, reading what is committed."""

    def _new_consumer_thread(self) -> Any:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: `streams.faust_watch` looks whether records are left lying.

        Faust's look raises, and ends the worker, while a partition's position is found out.
        """


class CommittedTransport(driver.Transport):
    """Faust's transport with that consumer."""

    Consumer = CommittedConsumer
