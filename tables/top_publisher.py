"""Publishes top lists on `product-top`: what changed, soon after, and every list on the hour."""

import asyncio
import logging
from contextlib import suppress

from aiokafka import AIOKafkaProducer

from domain.ranking import HOUR_MS, TopList
from streams.stopping import check_stopping
from tables.clock import now_ms
from tables.live import LiveSales
from tables.shapes import encode_top

log = logging.getLogger(__name__)

# Sales come in bursts: readers see a change within this time, and one record tells of many.
PAUSE_SECONDS = 0.3
# The wall clock may be set, or the machine may sleep: so the hour is looked at this often.
LOOK_SECONDS_MAX = 5.0
RETRY_SECONDS = 1.0


class TopPublisher:
    """Sends each changed partition's list; the topic keeps the last one for each key."""

    def __init__(self, live: LiveSales, producer: AIOKafkaProducer, topic: str) -> None:
        self._live = live
        self._producer = producer
        self._topic = topic

    async def run(self) -> None:
        """Publish until cancelled. While the broker is away the lists wait, and stay current."""
        while True:
            await self._wait_for_change()
            try:
                await self.publish()
            except Exception as error:
                check_stopping(error)
                log.warning("top lists wait for the broker: %r", error)
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)

    async def publish(self) -> None:
        """Publish the lists that changed, and wait until the broker has them."""
        tops = self._live.take_changed(now_ms())
        try:
            await asyncio.gather(*[await self._send(top) for top in tops])
        except Exception:
            self._live.mark_changed(top.partition for top in tops)
            raise

    async def _send(self, top: TopList) -> asyncio.Future[object]:
        sent: asyncio.Future[object] = await self._producer.send(
            self._topic,
            encode_top(top),
            key=str(top.partition).encode(),
            partition=top.partition,
        )
        return sent

    async def _wait_for_change(self) -> None:
        until_hour = (HOUR_MS - now_ms() % HOUR_MS) / 1000
        with suppress(TimeoutError):
            async with asyncio.timeout(min(until_hour, LOOK_SECONDS_MAX)):
                await self._live.has_changed.wait()
