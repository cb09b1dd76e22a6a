"""Publishes what was committed and never published, and lets the marks know what is.

A worker may end after its commit and before it has published. Where Kafka delivers the records
again that is made up for; but it does not where its offsets are past them already, as they are
of what was applied from the log itself, in a hole or after a backup was restored.
"""

import asyncio
import logging
from collections.abc import Collection, Iterable

from storage.command_log import load_replayed
from storage.engine import Database
from storage.marks import Mark, load_marks, raise_published
from streams.published import Published
from streams.publisher import Publisher
from streams.records import Partition
from streams.stopping import check_stopping

log = logging.getLogger(__name__)

_CHUNK_OFFSETS = 500
# A worker that is asked to stop must not wait for a database that is away.
_LAST_SECONDS_MAX = 2


class LeftBehind:
    """Finds rows that nobody has in hand, and publishes them in the order of the log."""

    def __init__(
        self, database: Database, publisher: Publisher, published: Published, epoch: int
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._published = published
        self._epoch = epoch
        self._seen: dict[Partition, Mark] = {}

    async def publish(self) -> None:
        """Publish all that was left, in whatever partition: before anything else is applied."""
        await self._publish((await self._load_marks()).values())

    async def look(self, partitions: Collection[Partition]) -> None:
        """Publish what was left in these partitions, where it was so at the last look already.

        A mark that moves is in somebody's hands, and the next batch takes care of the rest.
        """
        marks = await self._load_marks()
        found = {key: marks[key] for key in partitions if key in marks}
        standing = [mark for key, mark in found.items() if self._seen.get(key) == mark]
        self._seen = found
        await self._publish(mark for mark in standing if mark.published_offset < mark.next_offset)

    async def note_at_last(self) -> None:
        """Let the marks know what this worker has published, if the database answers in time.

        The next one would publish the last batches again, which is harmless, but of no use.
        """
        try:
            async with asyncio.timeout(_LAST_SECONDS_MAX):
                await self._note((await self._load_marks()).values())
        except Exception as error:
            check_stopping(error)
            log.info("what was published last is not noted: %r", error)

    async def _load_marks(self) -> dict[Partition, Mark]:
        async with self._database.connect() as connection:
            marks = await load_marks(connection)
        # What is known as published is so in one log; offsets of another one say nothing of it.
        return {key: mark for key, mark in marks.items() if mark.epoch == self._epoch}

    async def _publish(self, marks: Iterable[Mark]) -> None:
        behind = list(marks)
        for mark in behind:
            if left := self._published.left(mark):
                await self._publish_left(mark, left)
        await self._note(behind)

    async def _note(self, marks: Iterable[Mark]) -> None:
        known = [(mark, self._published.arrived(mark)) for mark in marks]
        news = [(mark, end) for mark, end in known if mark.published_offset < end]
        if news:
            async with self._database.begin() as connection:
                for mark, end in news:
                    await raise_published(connection, mark, end)

    async def _publish_left(self, mark: Mark, left: range) -> None:
        for first in left[::_CHUNK_OFFSETS]:
            span = (mark.partition, first, min(first + _CHUNK_OFFSETS, left.stop) - 1)
            async with self._database.connect() as connection:
                rows = await load_replayed(connection, mark.epoch, mark.topic, [span])
            if rows:
                log.warning(
                    "publishing what was left behind: %s[%d] from %d to %d", mark.topic, *span
                )
            await self._publisher.publish(rows)
        # Only now: a batch that comes meanwhile publishes all of it before its own rows.
        self._published.arrive([(mark.key, left.stop)])
