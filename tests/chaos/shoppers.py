"""HTTP clients over all edges: they send again, at another edge, what was left open."""

import asyncio
import itertools
from dataclasses import dataclass, replace
from typing import Any

import aiohttp

from app.open_files import allow_open_files
from tests.chaos.cluster import now_ms
from tests.chaos.direct import head_of
from tests.chaos.history import History
from tests.chaos.memory import Memory
from tests.chaos.workload import PATHS, Planned

TRIES_MAX = 2
AGAIN_SECONDS = 1.0
WAITING_MAX = 100
"""So many may wait to try again; where everybody fails, more of them would only be a load."""
ANSWER_SECONDS_MAX = 12.0
LOOK_SECONDS = 0.5
LOOK_TIMEOUT = aiohttp.ClientTimeout(total=2)
CONNECTIONS_MAX = 1_500
OWN_NUMBERS = 10_000_000_000
"""From here on are the numbers of attempts that no plan knows: clients' own retries."""


@dataclass(frozen=True)
class Answered:
    """What came of one request."""

    ack: str
    status: int | None = None
    command_id: str | None = None
    body: Any = None
    retry_after: str | None = None


class Shoppers:
    """Clients of several edges, with connections that they keep."""

    def __init__(self, urls: list[str], memory: Memory, history: History) -> None:
        self._urls = self._ready = urls
        self._memory = memory
        self._history = history
        self._numbers = itertools.count(OWN_NUMBERS)
        allow_open_files(CONNECTIONS_MAX)
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX),
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
        )
        self._waiting = 0
        self.open_keys: dict[str, Planned] = {}
        """Commands of which no client knows the outcome, by idempotency key."""
        self.late: dict[str, None] = {}
        """Commands that were acknowledged before their outcome was known, by id."""

    async def look_for_ready_edges(self) -> None:
        """Ask the edges whether they are ready, as a load balancer does, until cancelled."""
        while True:
            are_ready = await asyncio.gather(*map(self._is_ready, self._urls))
            self._ready = [url for url, is_so in zip(self._urls, are_ready, strict=True) if is_so]
            await asyncio.sleep(LOOK_SECONDS)

    async def _is_ready(self, url: str) -> bool:
        try:
            async with self._http.get(f"{url}/readyz", timeout=LOOK_TIMEOUT) as response:
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def send(self, planned: Planned) -> str:
        """Send one attempt, and again while nobody tells its outcome; return the first ack."""
        first = ""
        for tries in range(TRIES_MAX):
            answered = await self._attempt(planned, tries)
            first = first or answered.ack
            if answered.ack == "acknowledged" or answered.status in (400, 409):
                break
            if tries + 1 == TRIES_MAX or not await self._wait_politely(answered):
                break
            planned = self._again(planned)
        return first

    async def _wait_politely(self, answered: Answered) -> bool:
        """Wait as long as the edge asked for; False where too many wait already."""
        if self._waiting >= WAITING_MAX:
            return False
        self._waiting += 1
        await asyncio.sleep(float(answered.retry_after or AGAIN_SECONDS))
        self._waiting -= 1
        return True

    async def send_open_ones(self) -> None:
        """Send again each command of which nobody knows whether it was carried out."""
        for planned in list(self.open_keys.values()):
            await self.send(self._again(planned))

    def _again(self, planned: Planned) -> Planned:
        root = planned.retry_of or planned.number
        return replace(planned, number=next(self._numbers), retry_of=root)

    async def _attempt(self, planned: Planned, tries: int) -> Answered:
        payload = self._memory.fill_in(planned)
        key = str(planned.id)
        sent_at_ms = now_ms()
        urls = self._ready or self._urls
        url = urls[(planned.id.int + planned.number + tries) % len(urls)]
        answered = await self._post(url + PATHS[planned.type], payload, key)
        self._learn(planned, key, answered)
        self._history.write(
            {
                **head_of(planned),
                "payload": payload,
                "idempotencyKey": key,
                "commandId": answered.command_id,
                "sentAtMs": sent_at_ms,
                "doneAtMs": now_ms(),
                "ack": answered.ack,
                "status": answered.status,
                "body": answered.body,
                "retryAfter": answered.retry_after,
            }
        )
        return answered

    def _learn(self, planned: Planned, key: str, answered: Answered) -> None:
        self._memory.learn(planned, answered.command_id, answered.body)
        if answered.status == 202 and answered.command_id:
            self.late[answered.command_id] = None
        if answered.ack == "acknowledged":
            self.open_keys.pop(key, None)
        elif answered.ack == "unknown":
            self.open_keys[key] = planned

    async def _post(self, url: str, payload: dict[str, Any], key: str) -> Answered:
        try:
            async with self._http.post(
                url, json=payload, headers={"Idempotency-Key": key}
            ) as response:
                body = await response.json(content_type=None)
                command_id = response.headers.get("Command-Id")
                ack = ack_of(response.status, body, command_id)
                again = response.headers.get("Retry-After")
                return Answered(ack, response.status, command_id, body, again)
        except aiohttp.ClientConnectorError:
            # Nobody was there to take the request.
            return Answered("refused")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return Answered("unknown")

    async def ask(self, command_id: str, client: str = "asker") -> None:
        """Ask an edge what became of a command, and write the answer down."""
        number = next(self._numbers)
        url = self._urls[number % len(self._urls)]
        sent_at_ms, status, body = now_ms(), None, None
        try:
            async with self._http.get(f"{url}/api/v1/commands/{command_id}") as response:
                status, body = response.status, await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            pass
        self._history.write(
            {
                "client": client,
                "number": number,
                "channel": "http",
                "type": "Ask",
                "commandId": command_id,
                "payload": {},
                "sentAtMs": sent_at_ms,
                "doneAtMs": now_ms(),
                "status": status,
                "body": body,
            }
        )

    async def get(self, path: str) -> Any:
        """Read something from an edge."""
        async with self._http.get(self._urls[0] + path) as response:
            return await response.json(content_type=None)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()


def ack_of(status: int, body: Any, command_id: str | None) -> str:
    """Say what a response promises: acknowledged, surely refused, or nothing known."""
    code = body.get("code") if isinstance(body, dict) else None
    if status == 503:
        return "unknown" if code == "OUTCOME_UNKNOWN" else "refused"
    if status >= 500:
        return "unknown"
    # An answer that names no command is of one that never reached the log.
    return "refused" if command_id is None else "acknowledged"
