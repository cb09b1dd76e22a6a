"""A worker in memory around a real database: its log, its stream and its broker can be harmed.

What has left the process stays: acknowledged offsets, and what the broker has. The rest is gone
when the worker dies, and a new one is started on what is left.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from operator import ge
from types import SimpleNamespace
from typing import Any, NoReturn

import sqlalchemy as sa
from faust.types import TP

from storage.engine import Database
from storage.marks import load_marks
from streams.applying import PersistentApplier
from streams.batch import BatchApplier
from streams.catching_up import Span, apply_missed, read_missed
from streams.codec import CommandReader
from streams.hauls import Haul
from streams.health import WorkerHealth
from streams.intake import Intake
from streams.left_behind import LeftBehind
from streams.log_reader import CHUNK_RECORDS
from streams.publisher import Publisher
from streams.records import LOG_APPEND_TIME, Record
from tests.stateful.log_in_memory import TOPICS, LogInMemory
from tests.stateful.test_batch_machine import RULEBOOK
from tests.stepping import Stepped

USERS = TOPICS.user_commands.name
BATCH_MAX = 3
ARRIVAL_SECONDS = 0.05
BUNDLE_RECORDS = 2


class ReadLog(LogInMemory):
    """A log that takes its time to be read."""

    async def read(
        self, topic: str, partition: int, first: int, end: int, *, least: int = CHUNK_RECORDS
    ) -> list[Record]:
        await asyncio.sleep(0)
        return await super().read(topic, partition, first, end, least=least)


Sent = tuple[str, bytes | None, bytes, int, int | None]


class Bundle:
    """Two records on their way to one partition; a worker's batch needs some of them."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes, int | None]] = []

    def append(self, *, timestamp: int | None, key: bytes | None, value: bytes) -> object:
        """Take a record; None where there is no room."""
        if len(self.records) == BUNDLE_RECORDS:
            return None
        self.records.append((key, value, timestamp))
        return self

    def close(self) -> None:
        """Take no more."""


class Left(BaseException):
    """The process is gone."""


@dataclass
class Outside:
    """What a worker that dies leaves behind, beside the database."""

    acknowledged: dict[int, int] = field(default_factory=dict)
    broker: list[Sent] = field(default_factory=list)


@dataclass
class Harm:
    """What is done at which step; it is done once."""

    act: Callable[["Process"], BaseException | None] = lambda _: None
    step: int = -1
    """The place where the event loop takes over, counted over all tasks of the body."""
    send: int = -1
    """The record that is handed to the broker."""
    statement: int = -1
    """The statement, or the commit, that the database is about to be given."""
    steps: int = 0
    sends: int = 0
    statements: int = 0

    @property
    def is_done(self) -> bool:
        reached = (self.steps, self.sends, self.statements)
        wanted = (self.step, self.send, self.statement)
        return all(map(ge, reached, wanted))

    def at_step(self, process: "Process") -> BaseException | None:
        self.steps += 1
        return self.act(process) if self.steps == self.step else None

    def at_send(self, process: "Process") -> BaseException | None:
        self.sends += 1
        return self.act(process) if self.sends == self.send else None

    def at_statement(self, process: "Process") -> None:
        self.statements += 1
        if self.statements == self.statement and (error := self.act(process)):
            raise error


Body = Callable[["Process"], Coroutine[Any, Any, None]]


class Process:
    """One life of a worker: until its work is done, or until it is gone."""

    def __init__(self, database: Database, log: LogInMemory, outside: Outside, harm: Harm) -> None:
        self.database = database
        self.log = log
        self.outside = outside
        self.harm = harm
        self.consumes = False
        self._gone = asyncio.Event()
        self._refused: BaseException | None = None
        self._works: list[Any] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self.is_gone = False
        publisher: Any = Publisher("nowhere", TOPICS)
        # What a process that is gone would have sent is lost anyway: its producer never fails.
        sender = SimpleNamespace(sender_task=SimpleNamespace(done=lambda: False))
        publisher._producer = SimpleNamespace(
            create_batch=Bundle, send_batch=self._send, _sender=sender
        )
        self.publisher: Publisher = publisher
        self.applier = PersistentApplier(
            BatchApplier(self.database, CommandReader(TOPICS), RULEBOOK),
            log,
            WorkerHealth(),
            retry_seconds_max=20,
        )

    def leave(self, _why: str) -> NoReturn:
        self.die()
        raise Left

    def die(self) -> None:
        """Let nothing leave the process from here on."""
        self.is_gone = True
        self._gone.set()

    async def run(self, body: Body) -> BaseException | None:
        """Run the body, all tasks of it by steps, to its end; return what ended it early."""
        heard = [
            (self.database.engine.sync_engine, name, self._at_statement)
            for name in ("before_cursor_execute", "commit")
        ]
        for told in heard:
            sa.event.listen(*told)
        loop = asyncio.get_running_loop()
        loop.set_task_factory(self._make_task)
        self.task = asyncio.create_task(body(self))
        gone = asyncio.create_task(self._gone.wait())
        await asyncio.wait([self.task, gone], return_when=asyncio.FIRST_COMPLETED)
        loop.set_task_factory(None)
        for told in heard:
            sa.event.remove(*told)
        ended = await self._clear_up(gone)
        return ended if ended is None or not self._gone.is_set() else Left()

    async def _clear_up(self, gone: "asyncio.Task[Any]") -> BaseException | None:
        self.is_gone = True
        for task in (gone, *self._tasks):
            task.cancel()
        await asyncio.gather(gone, *self._tasks, return_exceptions=True)
        for work in self._works:
            # A task that was cancelled before it began has never awaited it.
            work.close()
        return asyncio.CancelledError() if self.task.cancelled() else self.task.exception()

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, work: Any, **named: Any
    ) -> "asyncio.Task[Any]":
        is_ours = getattr(work, "__name__", "") in {"run_intake", "catch_up", "_settle"}
        task = asyncio.Task(self._drive(work) if is_ours else work, loop=loop, **named)
        if is_ours:
            self._tasks.append(task)
            self._works.append(work)
        return task

    def _at_statement(self, *_: Any) -> None:
        self.harm.at_statement(self)

    async def _drive(self, work: Any) -> Any:
        try:
            return await Stepped(work, lambda: self.harm.at_step(self))
        except (KeyboardInterrupt, SystemExit) as error:
            # These end the event loop, and the process with it.
            self.die()
            raise Left from error

    async def _send(self, bundle: Bundle, topic: str, *, partition: int) -> "asyncio.Future[None]":
        await asyncio.sleep(0)
        # Behind a bundle that it could not send, an idempotent producer sends none.
        self._refused = self._refused or self.harm.at_send(self)
        error = self._refused
        loop = asyncio.get_running_loop()
        sending = loop.create_future()
        records = [(topic, key, value, partition, at_ms) for key, value, at_ms in bundle.records]
        # Long enough for the next batch to be applied meanwhile.
        loop.call_later(ARRIVAL_SECONDS, self._arrive, sending, records, error)
        return sending

    def _arrive(
        self, sending: "asyncio.Future[None]", records: Sequence[Sent], error: BaseException | None
    ) -> None:
        if not self.is_gone and error is None:
            self.outside.broker.extend(records)
        if not sending.done():
            sending.set_exception(error) if error else sending.set_result(None)


class Stream:
    """What an agent iterates: the hauls of one topic; at its end it waits for their ends.

    It is the app, its monitor and its consumer too, as far as these are asked.
    """

    consumer_generation_id = 1

    def __init__(self, process: Process, records: Sequence[Record]) -> None:
        self.enable_acks = True
        self.app = self.consumer = self.monitor = self.flow_control = self
        self.channel = SimpleNamespace(queue=self)
        self.unacked: set[Haul] = set()
        self.stream_inbound_time: dict[TP, float] = {}
        self._process = process
        self._waiting = deque(self._haul_of(record) for record in records)
        self._open = len(records)
        self._finished = asyncio.Event()

    def empty(self) -> bool:
        return not self._waiting

    def get_nowait(self) -> Haul:
        return self._waiting.popleft()

    def is_active(self) -> bool:
        return True

    async def __aiter__(self) -> AsyncIterator[Haul]:
        while self._waiting:
            yield self._waiting.popleft()
        if self._open:
            await self._finished.wait()

    def _haul_of(self, record: Record) -> Haul:
        topic, partition, offset = record.place
        message = SimpleNamespace(
            topic=topic,
            partition=partition,
            offset=offset,
            key=record.key,
            value=record.value,
            headers=(),
            timestamp=record.timestamp_ms,
            timestamp_type=LOG_APPEND_TIME,
        )
        return Haul(TP(topic, partition), [message], self.consumer_generation_id)

    def acknowledge(self, hauls: Sequence[Haul]) -> None:
        if self._process.is_gone:
            return
        acknowledged = self._process.outside.acknowledged
        for haul in hauls:
            assert acknowledged.get(haul.partition, -1) < haul.offset
            acknowledged[haul.partition] = haul.offset
        self._open -= len(hauls)
        if not self._open:
            self._finished.set()


async def run_intake(process: Process) -> None:
    """What a worker does: what was left behind, then its stream from where it is acknowledged."""
    left = LeftBehind(
        process.database, process.publisher, process.applier.published, RULEBOOK.epoch
    )
    await left.publish()
    passed = process.outside.acknowledged
    records = [
        record
        for record in process.log.of_topic(USERS)
        if record.place.offset > passed.get(record.place.partition, -1)
    ]
    intake = Intake(
        process.applier,
        process.publisher,
        WorkerHealth(),
        batch_max=BATCH_MAX,
        leave=process.leave,
    )
    process.consumes = True
    await intake.process(Stream(process, records))


async def catch_up(process: Process) -> None:
    """What a worker does whose group has passed everything: no record comes again."""
    left = LeftBehind(
        process.database, process.publisher, process.applier.published, RULEBOOK.epoch
    )
    await left.publish()
    async with process.database.connect() as connection:
        marks = await load_marks(connection)
    spans = [
        Span(topic, partition, marks[topic, partition].next_offset, end)
        for (topic, partition), end in process.log.ends.items()
        if topic == USERS and marks[topic, partition].next_offset < end
    ]
    await apply_missed(
        read_missed(spans, (process.log, TOPICS)), process.applier, process.publisher
    )
