"""Moves marks past offsets that hold no record, where no record follows that would do it.

A producer's transaction ends with a marker in each partition, and what it aborts stays in the
log. Behind the last record both look like commands that wait, and an edge that sees its line
stand still lets nobody in.
"""

from collections.abc import Collection

from storage.engine import Database
from storage.marks import load_marks, move_mark
from streams.log_reader import LogReader
from streams.records import Partition


class GapCloser:
    """Looks at partitions again and again; a gap that is there twice in a row is closed."""

    def __init__(self, database: Database, log_reader: LogReader, epoch: int) -> None:
        self._database = database
        self._log_reader = log_reader
        self._epoch = epoch
        self._seen: dict[Partition, int] = {}

    async def look(self, partitions: Collection[Partition]) -> None:
        """Close the gaps of these partitions that were there at the last look already."""
        async with self._database.connect() as connection:
            marks = await load_marks(connection)
        starts = {key: marks[key].next_offset for key in partitions if key in marks}
        held = await self._log_reader.bounds(starts)
        for key, start in starts.items():
            if self._seen.get(key) == start < held[key].stop:
                await self._close(key, start, held[key].stop)
        self._seen = starts

    async def _close(self, key: Partition, start: int, end: int) -> None:
        if await self._log_reader.read(*key, start, end, least=1):
            # There are commands; their agent is busy, or waits for the database.
            return
        async with self._database.begin() as connection:
            await move_mark(connection, key, (start, end), self._epoch)
