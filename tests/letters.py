"""Dead letters for tests: records applied by the real batch, and what operators do about them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from storage.command_log import LogRow
from storage.dead_letter_actions import Action, ActionKind, LetterPlace, save_actions
from storage.engine import Database
from storage.marks import Mark, insert_marks
from streams.applying import PersistentApplier
from streams.batch import BatchApplier
from streams.codec import DEAD_LETTER_REPLAY, CommandReader
from streams.dead_letter_replays import content_of
from streams.decisions import Rulebook
from streams.health import WorkerHealth
from streams.records import LOG_APPEND_TIME, Place, Record
from tests.stateful.log_in_memory import TOPICS, LogInMemory
from tests.worlds import NOW_MS

EPOCH = 1
USERS = TOPICS.user_commands.name


@dataclass
class Line:
    """The partitions of `user-commands`, and a worker that applies what is appended there."""

    database: Database
    ends: dict[int, int] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Make the marks."""
        marks = [Mark(USERS, n, EPOCH, 0, 0) for n in range(TOPICS.user_commands.partitions)]
        async with self.database.begin() as connection:
            await insert_marks(connection, marks)

    def record(
        self, key: bytes | None, value: bytes | None, partition: int, action_id: str | None = None
    ) -> Record:
        """Append a record, as a replay where an action is named."""
        offset = self.ends.get(partition, 0)
        self.ends[partition] = offset + 1
        headers = [(DEAD_LETTER_REPLAY, action_id.encode())] if action_id else []
        place = Place(USERS, partition, offset)
        return Record(place, key, value, headers, NOW_MS + offset, LOG_APPEND_TIME)

    async def apply(
        self, records: Sequence[Record], database: Database | None = None
    ) -> list[LogRow]:
        """Apply records, as the worker of that database; return their rows."""
        rulebook = Rulebook(TOPICS, EPOCH, 10_000_000, 900_000)
        applier = BatchApplier(database or self.database, CommandReader(TOPICS), rulebook)
        persistent = PersistentApplier(
            applier, LogInMemory(), WorkerHealth(), retry_seconds_max=30
        )
        places = {record.place for record in records}
        rows = await persistent.apply(records)
        # Nothing is published here, so rows of before come along, to be published with these.
        return [row for row in rows if Place(row.topic, row.partition, row.offset) in places]


def action(letter: LetterPlace, record: Record | None = None) -> Action:
    """What an operator does: a replay by this record, or a discard."""
    kind = ActionKind.DISCARD if record is None else ActionKind.REPLAY
    content = None if record is None else content_of(record.place, record.key, record.value)
    return Action(str(uuid4()), *letter, kind.value, "ann@desk", "tested", content, NOW_MS)


async def ask_for_replay(database: Database, letter: LetterPlace, like: Record) -> Action:
    """Note that an operator wants a record like this one to replay a letter."""
    asked = action(letter, like)
    async with database.begin() as connection:
        await save_actions(connection, [asked])
    return asked


def letter_of(record: Record) -> LetterPlace:
    """Return the place of a record as its dead letter has it."""
    return LetterPlace(EPOCH, *record.place)
