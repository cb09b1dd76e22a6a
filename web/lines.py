"""The lines of all partitions of the command topics, and how the marks are learned."""

import time
from collections.abc import Iterable

from storage.engine import Database
from storage.marks import load_marks
from streams.metrics import WAITING, show_lines
from streams.topics import Topic
from web.backlog import Line


class Lines:
    """One line per partition."""

    def __init__(self, topics: Iterable[Topic]) -> None:
        self._lines = {topic.name: [Line() for _ in range(topic.partitions)] for topic in topics}

    def of(self, topic: str, partition: int) -> Line:
        """Return the line of a partition of a command topic."""
        return self._lines[topic][partition]

    def note_applied(self, topic: str, partition: int, offset: int) -> None:
        """Note what a result says: its command is applied. Ignores places that are not ours."""
        lines = self._lines.get(topic, ())
        if partition < len(lines):
            lines[partition].note_applied(offset)

    def items(self) -> list[tuple[str, int, Line]]:
        """List every line with its topic and partition."""
        return [
            (topic, number, line)
            for topic, lines in self._lines.items()
            for number, line in enumerate(lines)
        ]


class Marks:
    """Asks the database how far each command topic is applied."""

    def __init__(self, database: Database, lines: Lines) -> None:
        self._database = database
        self._lines = lines.items()

    async def ask(self) -> None:
        """Learn every mark; raises whatever the database's absence raises."""
        known = [line.next_offset for _, _, line in self._lines]
        async with self._database.connect() as connection:
            marks = await load_marks(connection)
        now = time.monotonic()
        for (topic, number, line), before in zip(self._lines, known, strict=True):
            mark = marks.get((topic, number))
            if mark is not None:
                line.see_mark(mark.next_offset, before, now)
        waiting = {(topic, number): line.waiting for topic, number, line in self._lines}
        show_lines(WAITING, waiting)

    async def stop(self) -> None:
        """The database is not ours to close."""
