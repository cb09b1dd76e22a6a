"""Between an agent's stream and the batch: take what is there, apply, publish, acknowledge.

A batch ends when nothing more has come. While one batch commits, the next one gathers by itself;
while one is published, the next is applied.
A lone command does not wait for company; where commands come in company, a moment more gathers
more of them, for a batch costs much and one more command in it little.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from streams.applying import PersistentApplier
from streams.hauls import Haul, Hold, count, records_in
from streams.health import WorkerHealth
from streams.published import Ends, ends_of
from streams.publisher import Publisher, Sending
from streams.records import LOG_APPEND_TIME
from streams.stopping import check_stopping

log = logging.getLogger(__name__)

# Measured on two cores with 64 clients: without gathering half as much was applied in a second.
GATHER_SECONDS = 0.002
GATHERS_MAX = 2


class Intake:
    """What every command agent does with its stream. No exception leaves `process`."""

    def __init__(
        self,
        applier: PersistentApplier,
        publisher: Publisher,
        health: WorkerHealth,
        *,
        batch_max: int,
        leave: Callable[[str], NoReturn],
    ) -> None:
        self._applier = applier
        self._publisher = publisher
        self._health = health
        self.batch_max = batch_max
        self._leave = leave

    async def process(self, stream: Any) -> None:
        """Apply a Faust stream of hauls until the worker stops.

        Acknowledgements are ours alone: Faust would acknowledge what an exception left undone.
        """
        stream.enable_acks = False
        try:
            await self._process(stream)
        except BaseException as error:
            self._end(error, "applied")

    async def _process(self, stream: Any) -> None:
        hold = Hold(stream, self.batch_max)
        in_company = False
        settling: asyncio.Task[None] | None = None
        try:
            async for haul in stream:
                hold.add(haul)
                while batch := hold.take():
                    if in_company:
                        await self._gather(hold, batch)
                    in_company = count(batch) > 1
                    settling = await self._apply(stream.app.consumer, batch, settling)
        finally:
            if settling is not None:
                # Whoever ends here acknowledges nothing more; what is open comes again.
                settling.cancel()

    async def _gather(self, hold: Hold, batch: list[Haul]) -> None:
        """Let a batch grow for a moment while more comes."""
        for _ in range(GATHERS_MAX):
            if not hold.is_empty:
                return
            await asyncio.sleep(GATHER_SECONDS)
            if hold.is_empty:
                return
            batch += hold.take(count(batch))

    async def _apply(
        self, consumer: Any, batch: Sequence[Haul], before: asyncio.Task[None] | None
    ) -> asyncio.Task[None]:
        """Apply a batch and hand over what is published; return the task that settles it.

        While the broker takes a batch's records, the next one is applied already; but nothing
        of it is sent before all of this one has arrived, so the order stays as it was stored.
        """
        records = records_in(batch)
        # Else the producer's clock would decide about expiry and validity.
        self._health.log_append_time &= all(r.timestamp_type == LOG_APPEND_TIME for r in records)
        rows = await self._applier.apply(records)
        if before is not None:
            await before
        sent = await self._publisher.hand_over(rows)
        settling = self._settle(batch, ends_of(rows), sent, consumer=consumer)
        return asyncio.create_task(settling)

    async def _settle(
        self, batch: Sequence[Haul], ends: Ends, sent: Sequence[Sending], *, consumer: Any
    ) -> None:
        """Acknowledge a batch once all that it published has arrived."""
        try:
            await asyncio.gather(*sent)
            self._applier.published.arrive(ends)
            consumer.acknowledge(batch)
        except BaseException as error:
            self._end(error, "published")

    def _end(self, error: BaseException, what: str) -> None:
        """Stop where that was asked for, else leave the process.

        In both cases nothing more is acknowledged, so the batch comes again. An agent that ended
        otherwise would stand still without a word.
        """
        if isinstance(error, GeneratorExit):
            # The event loop is gone already.
            raise error
        check_stopping(error)
        self._leave(f"a batch could not be {what}: {error!r}")
