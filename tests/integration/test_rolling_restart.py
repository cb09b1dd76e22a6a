"""Workers and edges restarted one after the other under load: nobody sees more than a 503."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import NamedTuple

from aiohttp import ClientConnectorError, ClientError, ClientSession

from tests.client import eventually
from tests.installation import Installation, Process

CLIENTS = 6
PAUSE_SECONDS = 0.05
PROMISED_SECONDS = 20


class Told(NamedTuple):
    """What a client was told: a status and a code, or how its connection broke."""

    status: int
    code: str
    retry_after: str | None


class Crowd:
    """Clients that charge their wallets by 1 again and again, and remember what they are told."""

    def __init__(self, edges: Sequence[Process]) -> None:
        self._urls = [edge.url for edge in edges]
        self.told: list[Told] = []
        self.keys: list[str] = []

    async def run(self, user_id: int) -> None:
        """Charge until cancelled, over a connection that is kept as long as the edge keeps it."""
        async with ClientSession() as session:
            for number in count():
                self.keys.append(f"{user_id}-{number}")
                self.told.append(await self._charge(session, user_id, self.keys[-1]))
                await asyncio.sleep(PAUSE_SECONDS)

    async def _charge(self, session: ClientSession, user_id: int, key: str) -> Told:
        """Ask the first edge that takes a connection."""
        body, headers = {"userId": user_id, "amount": 1}, {"Idempotency-Key": key}
        for url in self._urls:
            path = f"{url}/api/v1/balance/charge"
            try:
                async with session.post(path, json=body, headers=headers) as reply:
                    code = (await reply.json(content_type=None)).get("code", "")
                    return Told(reply.status, code, reply.headers.get("Retry-After"))
            except ClientConnectorError:
                continue
            except (ClientError, OSError) as error:
                return Told(0, repr(error), None)
        return Told(0, "no edge takes connections", None)

    async def more(self, number: int) -> None:
        """Wait until so many more have been served."""
        wanted = self.served() + number
        await eventually(lambda: self.served() >= wanted, f"{wanted} charges")

    def served(self) -> int:
        return sum(told.status == 200 for told in self.told)

    def refused(self) -> Counter[Told]:
        """All that is neither an outcome, nor a 202, nor a 503 with a time to come back."""
        return Counter(
            told
            for told in self.told
            if told.status not in (200, 202) and not (told.status == 503 and told.retry_after)
        )


@asynccontextmanager
async def crowded(edges: Sequence[Process]) -> AsyncIterator[Crowd]:
    """A crowd at these edges while the block runs."""
    crowd = Crowd(edges)
    tasks = [asyncio.create_task(crowd.run(user_id)) for user_id in range(1, CLIENTS + 1)]
    try:
        yield crowd
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def restarted(installation: Installation, process: Process, *words: str) -> Process:
    """Ask a process to stop, see it end well and in time, and start it again at its port."""
    began = time.monotonic()
    process.child.ask()
    assert await process.left() == 0, process.log.read_text()[-2000:]
    assert time.monotonic() - began < PROMISED_SECONDS
    name = "worker_port" if "worker" in words else "http_port"
    return installation.start(*words, port_name=name, port=process.port)


async def assert_each_served_once(installation: Installation, crowd: Crowd) -> None:
    """Whoever was served was charged once, and nobody twice."""
    # One statement, for some requests were on their way when the clients left.
    ((records, commands, balance),) = await installation.query(
        "SELECT count(*), count(DISTINCT command_id), (SELECT sum(balance) FROM wallets)"
        " FROM command_log WHERE type = 'ChargeBalance' AND disposition = 'APPLIED'"
    )
    assert balance == records == commands >= crowd.served()


async def test_workers_restarted_one_after_the_other(installation: Installation) -> None:
    running: list[Process] = []
    try:
        running += [installation.start("worker", port_name="worker_port") for _ in range(3)]
        edge = installation.start("edge", port_name="http_port")
        running.append(edge)
        await asyncio.gather(*[process.ready() for process in running])
        async with crowded([edge]) as crowd:
            await crowd.more(50)
            for place in range(3):
                running[place] = await restarted(installation, running[place], "worker")
                await running[place].ready()
                await crowd.more(50)
        assert not crowd.refused()
        await assert_each_served_once(installation, crowd)
    finally:
        for process in running:
            process.child.stop(PROMISED_SECONDS)


async def test_edges_restarted_one_after_the_other(installation: Installation) -> None:
    running: list[Process] = []
    try:
        numbered = [installation.with_settings(edge_number=number) for number in range(2)]
        edges = [each.start("edge", port_name="http_port") for each in numbered]
        running += [installation.start("worker", port_name="worker_port"), *edges]
        await asyncio.gather(*[process.ready() for process in running])
        async with crowded(edges) as crowd:
            await crowd.more(50)
            for place, each in enumerate(numbered, start=1):
                running[place] = await restarted(each, running[place], "edge")
                await running[place].ready()
                await crowd.more(50)
        assert not crowd.refused()
        await assert_each_served_once(installation, crowd)
    finally:
        for process in running:
            process.child.stop(PROMISED_SECONDS)
