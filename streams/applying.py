"""Applies records until they are applied: what to do when a transaction fails.

Design, "The life of one command", 4: run again what met a conflict, run alone what was refused
for its data, wait for a database that is away, fill holes from the log. What comes out as an
exception is for the process to end on, before any acknowledgement.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from storage.command_log import LogRow
from storage.errors import Failure, failure_of, is_duplicate
from streams.batch import BatchApplier, HoleError
from streams.codec import Poison, PoisonReason
from streams.health import WorkerHealth
from streams.log_reader import CHUNK_RECORDS, LogReader
from streams.records import Place, Record
from streams.stopping import check_stopping
from streams.tracing import applying

log = logging.getLogger(__name__)

CONFLICTS_MAX = 5
_BACKOFF_SECONDS = (0.01, 0.05, 0.2, 0.5, 1.0)


@dataclass(slots=True)
class _Attempts:
    """What was tried for one set of records, and what was learned."""

    budget: asyncio.Timeout
    conflicts: int = 0
    waits: int = 0
    verified: set[Place] = field(default_factory=set)


class PersistentApplier:
    """A BatchApplier that does not give up before its time."""

    def __init__(
        self,
        applier: BatchApplier,
        log_reader: LogReader,
        health: WorkerHealth,
        *,
        retry_seconds_max: float,
    ) -> None:
        self._applier = applier
        self.published = applier.published
        self._log_reader = log_reader
        self._health = health
        self._retry_seconds_max = retry_seconds_max

    async def apply(
        self, records: Sequence[Record], condemned: Mapping[Place, Poison] | None = None
    ) -> list[LogRow]:
        """Apply records of one topic and return the rows to publish, in order.

        Raises TimeoutError when all attempts together took too long: the partitions' next owner
        must not wait for this one past the rebalance timeout.
        """
        with applying(records):
            async with asyncio.timeout(self._retry_seconds_max) as budget:
                return await self._apply_until_done(records, condemned, _Attempts(budget))

    async def _apply_until_done(
        self,
        records: Sequence[Record],
        condemned: Mapping[Place, Poison] | None,
        attempts: _Attempts,
    ) -> list[LogRow]:
        filled: list[LogRow] = []
        while True:
            try:
                rows = await self._applier.apply(
                    records, verified=attempts.verified, condemned=condemned
                )
            except HoleError as hole:
                filled += await self._fill(hole, attempts)
            except Exception as error:
                check_stopping(error)
                if await self._is_for_each_alone(error, attempts):
                    return filled + await self._apply_each_alone(records, condemned, error)
            else:
                self._health.database_answers = True
                return filled + rows

    async def _is_for_each_alone(self, error: Exception, attempts: _Attempts) -> bool:
        """Decide what a failure calls for: True to try one by one, False to try again."""
        failure = failure_of(error)
        if failure is Failure.DATA:
            return True
        if failure is Failure.CONFLICT:
            attempts.conflicts += is_duplicate(error)
            log.info("conflict, running again: %s", _first_line(error))
            return attempts.conflicts >= CONFLICTS_MAX
        if failure is Failure.BUG:
            raise error
        self._health.database_answers = False
        log.warning("database away, waiting: %s", _first_line(error))
        await asyncio.sleep(_BACKOFF_SECONDS[min(attempts.waits, len(_BACKOFF_SECONDS) - 1)])
        attempts.waits += 1
        return False

    async def _apply_each_alone(
        self,
        records: Sequence[Record],
        condemned: Mapping[Place, Poison] | None,
        error: Exception,
    ) -> list[LogRow]:
        if len(records) > 1:
            return [row for record in records for row in await self.apply([record])]
        if condemned:
            # Even its dead letter is refused: this is not about the data any more.
            raise error
        poison = Poison(PoisonReason.DATA_REFUSED, _first_line(error))
        return await self.apply(records, {records[0].place: poison})

    async def _fill(self, hole: HoleError, attempts: _Attempts) -> list[LogRow]:
        """Apply what the log holds in a hole; if it holds nothing, the gap is a legal one."""
        span = (hole.topic, hole.partition, hole.first, hole.end)
        records = await self._log_reader.read(*span)
        if len(records) < CHUNK_RECORDS:
            attempts.verified.add(Place(hole.topic, hole.partition, hole.end))
        if not records:
            return []
        log.warning("applying %d records that did not come: %s", len(records), hole)
        attempts.verified |= {record.place for record in records}
        rows = await self._apply_until_done(records, None, attempts)
        # A long hole takes many chunks; each is progress, and gets a time of its own.
        attempts.budget.reschedule(asyncio.get_running_loop().time() + self._retry_seconds_max)
        return rows


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:300] or type(error).__name__
