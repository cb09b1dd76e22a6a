"""Counts dead letters as they are made, and tells people when they are too many, and when not."""

import asyncio
import logging
import time
from collections.abc import Iterable

from storage.command_log import Disposition
from streams.dead_letter_alarm import Thresholds, Watched, watch
from streams.decisions import Writing
from streams.health import WorkerHealth
from streams.metrics import DEAD_LETTERS
from streams.records import Partition

log = logging.getLogger(__name__)

ALARM = "deadLetters"
# An alarm ends by itself when nothing comes any more: so time is looked at too.
LOOK_SECONDS = 1.0


class DeadLetterWatch:
    """Shows an alarm in the worker's health while dead letters are too many. It stops nothing."""

    def __init__(self, thresholds: Thresholds, health: WorkerHealth) -> None:
        self._thresholds = thresholds
        self._health = health
        self._watched = Watched()

    def note(self, writing: Writing) -> None:
        """Count a batch that was committed; records that came again are not in it."""
        for letter in writing.letters:
            DEAD_LETTERS.labels(letter.reason).inc()
        dead = Disposition.DEAD.value
        self._look(((r.topic, r.partition), r.disposition == dead) for r in writing.rows)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self._look(())
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self, outcomes: Iterable[tuple[Partition, bool]]) -> None:
        before = self._watched.alarm
        # A clock that is set, or stepped, must not end an alarm or keep one.
        now_ms = int(time.monotonic() * 1000)
        self._watched = watch(self._watched, outcomes, now_ms, self._thresholds)
        alarm = self._watched.alarm
        if alarm is not None:
            minute = self._watched.minute
            line = f"too many dead letters: {alarm.cause}; now {minute.letters} of the last"
            line += f" minute's {minute.records} records (`fairline dlq list`)"
            self._health.alarms[ALARM] = line
            if before is None:
                log.error("%s", line)
        elif before is not None:
            self._health.alarms.pop(ALARM, None)
            seconds = (now_ms - before.began_at_ms) // 1000
            log.warning("dead letters are no longer too many, after %d s", seconds)
