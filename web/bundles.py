"""Records on their way to the log: those that wait for one partition are handed over together."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError

from streams.bundle import Sending, send_bundle
from streams.records import Partition
from web.entry import Entry
from web.problems import KAFKA_FULL, UnavailableError

# A bundle costs much, and one more record in it little: those in company wait for each other.
GATHER_SECONDS = 0.002


class Bundles:
    """One bundle of each partition is on its way at a time; meanwhile the next one gathers."""

    def __init__(self, tell_broken: Callable[[], None]) -> None:
        self._tell_broken = tell_broken
        self._producer: AIOKafkaProducer | None = None
        self._waiting: dict[Partition, list[Entry]] = {}
        self._sending: dict[Partition, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def use(self, producer: AIOKafkaProducer | None) -> None:
        """Hand over to this producer from now on; without one, records wait for the next."""
        self._producer = producer
        self._send_all()

    def add(self, entry: Entry, to: Partition, *, is_alone: bool) -> None:
        """Let a record go with the next bundle of its partition; at once where it is alone."""
        self._waiting.setdefault(to, []).append(entry)
        if to not in self._sending:
            self._send_in(0 if is_alone else GATHER_SECONDS)

    def _send_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._send_all)

    def _send_all(self) -> None:
        self._timer = None
        if self._producer is not None:
            for to in self._waiting.keys() - self._sending.keys():
                sending = self._send(self._producer, to)
                self._sending[to] = asyncio.create_task(sending)

    async def _send(self, producer: AIOKafkaProducer, to: Partition) -> None:
        bundle = producer.create_batch()
        entries = self._fill(bundle, to)
        try:
            if entries:
                await _settle(entries, await send_bundle(producer, bundle, to))
        except (KafkaError, AssertionError) as error:
            for entry in entries:
                entry.refuse(UnavailableError(KAFKA_FULL))
            if not isinstance(error, KafkaTimeoutError):
                self._tell_broken()
        finally:
            del self._sending[to]
            if to in self._waiting:
                self._send_in(GATHER_SECONDS)

    def _fill(self, bundle: Any, to: Partition) -> list[Entry]:
        """Take what fits; the rest waits on, in front of what comes."""
        waiting = self._waiting.pop(to)
        taken: list[Entry] = []
        for number, entry in enumerate(waiting):
            if entry.is_withdrawn:
                continue
            if (
                bundle.append(
                    timestamp=None, key=entry.key, value=entry.value, headers=entry.headers
                )
                is None
            ):
                self._waiting[to] = waiting[number:]
                break
            entry.hand_over()
            taken.append(entry)
        return taken


async def _settle(entries: list[Entry], sending: Sending) -> None:
    """Tell each record its offset, or that nobody knows."""
    try:
        first = (await sending).offset
    except BaseException as error:
        for entry in entries:
            entry.lose()
        if not isinstance(error, KafkaError):
            raise
    else:
        for offset, entry in enumerate(entries, start=first):
            entry.written(offset)
