"""The command worker: everything between the command topics and the database, as one service."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from storage.engine import Database
from streams.admin import committed_offsets
from streams.app import FaustSettings, create_command_app
from streams.applying import PersistentApplier
from streams.batch import BatchApplier
from streams.catching_up import apply_missed, find_spans, read_missed
from streams.codec import CommandReader
from streams.dead_letter_alarm import Thresholds
from streams.dead_letter_watch import DeadLetterWatch
from streams.decisions import Rulebook
from streams.faust_watch import FaustWatch, LookLimits, looks_for
from streams.gaps import GapCloser
from streams.health import WorkerHealth
from streams.intake import Intake
from streams.leave import leave
from streams.left_behind import LeftBehind
from streams.log_identity import Log, identify_log, look_at_log
from streams.log_reader import LogReader
from streams.membership import LOOK_SECONDS, Membership
from streams.metrics import LAG, show_alarms, show_lines
from streams.publisher import Publisher
from streams.records import Partition
from streams.retention import PRUNE_SECONDS, Pruner
from streams.stopping import keep_looking
from streams.survey import Survey
from streams.topics import DAY_MS, Topics


@dataclass(frozen=True, slots=True)
class CommandLimits:
    """The installation's limits that decisions and batches keep."""

    balance_max: int
    order_expiry_ms: int
    batch_max: int
    retry_seconds_max: float
    retention_ms: int = 7 * DAY_MS
    prune_seconds: float = PRUNE_SECONDS
    dead_letters: Thresholds = field(default_factory=Thresholds)
    asks_stamps: bool = False
    """Whether each command must say who acts, and is held to that."""


class CommandWorker:
    """Applies commands from `start` to `stop`."""

    def __init__(
        self,
        faust_settings: FaustSettings,
        database: Database,
        topics: Topics,
        limits: CommandLimits,
        *,
        looks: LookLimits | None = None,
    ) -> None:
        self._faust_settings = faust_settings
        self._database = database
        self._topics = topics
        self._limits = limits
        self._looks = looks or looks_for(limits.retry_seconds_max)
        self._log_reader = LogReader(faust_settings.kafka_url)
        self._publisher = Publisher(faust_settings.kafka_url, topics)
        self._watches: list[asyncio.Task[None]] = []
        self._app: Any = None
        self._left_behind: LeftBehind | None = None
        self.health = WorkerHealth(
            details={"broker": faust_settings.kafka_url, "database": database.name}
        )
        self._dead_letters = DeadLetterWatch(limits.dead_letters, self.health)

    async def start(self) -> None:
        """Check that log and database belong together, and begin to consume.

        Raises LogRefusedError where they do not.
        """
        await self._log_reader.start()
        kafka_url = self._faust_settings.kafka_url
        log = await look_at_log(kafka_url, self._log_reader, self._topics)
        epoch = await identify_log(self._database, log, self._log_reader, self._topics)
        await self._publisher.start()
        applier = self._make_applier(epoch)
        left_behind = LeftBehind(self._database, self._publisher, applier.published, epoch)
        await left_behind.publish()
        self._left_behind = left_behind
        await self._catch_up(log, applier)
        self._app = create_command_app(
            self._faust_settings, self._topics, self._make_intake(applier), self.health
        )
        await self._app.start()
        looks = [GapCloser(self._database, self._log_reader, epoch).look, left_behind.look]
        survey = self._make_survey()
        watch = FaustWatch(self._app, self.health.liveness, self._looks)
        self._watches = [
            asyncio.create_task(survey.run()),
            asyncio.create_task(self._keep_watch(survey, watch)),
            asyncio.create_task(keep_looking(looks, lambda: watch.assigned)),
            asyncio.create_task(self._dead_letters.run()),
            asyncio.create_task(self._prune(watch)),
        ]

    async def _prune(self, watch: FaustWatch) -> None:
        limits = self._limits
        pruner = Pruner(self._database, self._committed, limits.retention_ms)
        await pruner.run(lambda: watch.assigned, limits.prune_seconds)

    async def _committed(self) -> dict[Partition, int]:
        return await committed_offsets(self._faust_settings.kafka_url, self._faust_settings.group)

    async def _catch_up(self, log: Log, applier: PersistentApplier) -> None:
        committed = await self._committed()
        spans = await find_spans(self._database, log, committed)
        missed = read_missed(spans, (self._log_reader, self._topics))
        await apply_missed(missed, applier, self._publisher)

    def _make_applier(self, epoch: int) -> PersistentApplier:
        rulebook = Rulebook(
            self._topics, epoch, self._limits.balance_max, self._limits.order_expiry_ms
        )
        reader = CommandReader(self._topics, asks_stamps=self._limits.asks_stamps)
        return PersistentApplier(
            BatchApplier(self._database, reader, rulebook, self._dead_letters.note),
            self._log_reader,
            self.health,
            retry_seconds_max=self._limits.retry_seconds_max,
        )

    def _make_intake(self, applier: PersistentApplier) -> Intake:
        return Intake(
            applier,
            self._publisher,
            self.health,
            batch_max=self._limits.batch_max,
            leave=leave,
        )

    async def failed(self) -> str:
        """Return, with the reason, once the worker cannot go on; the process should leave."""
        membership = Membership(self._app)
        while not (why := membership.why_ended()):  # noqa: ASYNC110 - Faust has no event.
            await asyncio.sleep(LOOK_SECONDS)
        return why

    def _make_survey(self) -> Survey:
        return Survey(
            self._database,
            self._log_reader,
            self._topics.commands,
            self.health,
            ask_seconds=self._looks.look_seconds,
        )

    async def _keep_watch(self, survey: Survey, watch: FaustWatch) -> None:
        """Keep the health's facts up to date."""
        health = self.health
        while True:
            health.is_assigned, health.is_recovered = watch.is_assigned, watch.is_recovered
            spans = survey.spans(watch.assigned)
            watch.look(spans, may_move=health.database_answers and health.broker_answers)
            show_lines(LAG, {key: span.end - span.mark for key, span in spans.items()})
            show_alarms(health.alarms)
            await asyncio.sleep(self._looks.look_seconds)

    async def stop(self) -> None:
        """Finish what is in hand, acknowledge it, and disconnect."""
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        if self._app is not None:
            await self._app.stop()
        await self._publisher.stop()
        if self._left_behind is not None:
            await self._left_behind.note_at_last()
        await self._log_reader.stop()
