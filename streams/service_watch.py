"""Asks a service again and again, so that its absence is known before it is needed."""

import asyncio
import logging
from typing import Protocol

from streams.stopping import check_stopping

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
# Within two seconds of a loss nothing is accepted any more; a busy machine may take a while.
POLL_SECONDS_MAX = 1.5
# A worker does not turn away because an answer takes a second; it has seconds to wait with.
WORKER_ANSWER_SECONDS_MAX = 5.0


class Service(Protocol):
    """Something that may be away."""

    async def ask(self) -> None:
        """Ask it for news; raises where it is away."""

    async def stop(self) -> None:
        """Disconnect."""


class Watch:
    """Asks a service again and again, so that its absence is known before a command is sent."""

    def __init__(
        self, name: str, service: Service, away: str = "", *, seconds_max: float = POLL_SECONDS_MAX
    ) -> None:
        self.name = name
        self.away = away
        self.is_ready = False
        self._service = service
        self._seconds_max = seconds_max
        self._fault: str | None = "not asked yet"

    async def run(self) -> None:
        """Ask until cancelled."""
        try:
            while True:
                await self.ask_once()
                await asyncio.sleep(POLL_SECONDS)
        finally:
            await self._service.stop()

    async def ask_once(self) -> None:
        """Ask; each change between well and away is logged once."""
        try:
            async with asyncio.timeout(self._seconds_max):
                await self._service.ask()
        except Exception as error:
            check_stopping(error)
            self._turn_away(error)
        else:
            if self._fault is not None:
                log.info("%s answers", self.name)
            self.is_ready, self._fault = True, None

    def _turn_away(self, error: Exception) -> None:
        if self.is_ready or self._fault != repr(error):
            log.warning("%s does not answer: %r", self.name, error)
        self.is_ready, self._fault = False, repr(error)
