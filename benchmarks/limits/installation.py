"""An installation of Fairline whose processes are started one by one, as a measurement needs them.

Each gets a log of its own, and may be told another way to the database than the others.
"""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from app.services.child import Child, Launch
from app.services.errors import StartError
from app.services.ports import free_port
from app.services.service import last_words
from benchmarks.fairline import PROGRAM, TRY_AGAIN, Fairline, environment_of
from benchmarks.ledger import Ledger
from benchmarks.services import Services
from benchmarks.sides import temporary_database, wait_until
from streams.topics import Topics, topics_of

STOP_SECONDS = 15.0
PORTS = ("FAIRLINE_HTTP_PORT", "FAIRLINE_WORKER_PORT", "FAIRLINE_RANKING_PORT")


@dataclass
class Process:
    """One running process of ours; its number stays the same when it is started anew."""

    words: tuple[str, ...]
    port: int
    launch: Launch
    child: Child

    @property
    def url(self) -> str:
        """Where it answers for its health, and an edge for everything."""
        return f"http://127.0.0.1:{self.port}"

    async def is_ready(self) -> bool:
        """Ask it. A worker that leaves a Kafka which is not quite there is started again."""
        if self.child.exit_code() == TRY_AGAIN:
            self.child = Child(self.launch)
        self.require_alive()
        return await status_of(f"{self.url}/readyz") == 200

    def require_alive(self) -> None:
        """Raise StartError with its last words where it has left."""
        if (code := self.child.exit_code()) is not None:
            assert self.launch.log is not None
            message = f"{' '.join(self.words)} left with {code}: {last_words(self.launch.log)}"
            raise StartError(message)


@dataclass
class Installation:
    """A database and topics, migrated. Nobody works on them before `started`."""

    services: Services
    database_url: str
    topic_prefix: str
    environment: Mapping[str, str]
    folder: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def kafka_url(self) -> str:
        """Where the broker is."""
        return self.services.urls["broker"]

    @property
    def topics(self) -> Topics:
        """The topics, named as its processes name them."""
        return topics_of(self.topic_prefix, 8)

    @property
    def ledger(self) -> Ledger:
        """Where its work is counted."""
        return Ledger(self.database_url)

    @contextmanager
    def started(self, *words: str, database_url: str = "") -> Iterator[Process]:
        """Run a `fairline` command until the end of the block, with ports of its own."""
        name = f"{words[0]}-{next(self._numbers)}"
        port = free_port()
        environment = {
            **self.environment,
            # Every variable of a port gets this one: a process opens only its own.
            **dict.fromkeys(PORTS, str(port)),
            "FAIRLINE_DATABASE_URL": database_url or self.database_url,
            "FAIRLINE_DATA_DIR": str(self.folder / name),
        }
        launch = Launch(
            [PROGRAM, *words], log=self.folder / f"{name}.log", environment=environment
        )
        process = Process(words, port, launch, Child(launch))
        try:
            yield process
        finally:
            process.child.stop(STOP_SECONDS)

    def side(self, edge: Process, **workers: Process) -> Fairline:
        """Return what a load is sent to; its parts are the services and these processes."""
        ours = {"edge": edge, **workers}
        pids = self.services.pids | {part: each.child.pid for part, each in ours.items()}
        return Fairline(edge.url, pids, self.ledger, self.kafka_url, self.topic_prefix)


@asynccontextmanager
async def installed(services: Services, folder: Path) -> AsyncIterator[Installation]:
    """Make a database and topics, and remove both afterwards."""
    prefix = f"limits-{uuid.uuid4().hex[:8]}-"
    inside = folder / prefix
    inside.mkdir(parents=True)
    async with temporary_database(services.urls["database"], "limits") as url:
        environment = environment_of(services, url, inside, prefix)
        try:
            await migrate(environment)
            yield Installation(services, url, prefix, environment, inside)
        finally:
            await delete_topics(services.urls["broker"], prefix)


async def migrate(environment: Mapping[str, str]) -> None:
    """Make tables and topics. Raises StartError; why is printed."""
    migration = await asyncio.create_subprocess_exec(PROGRAM, "migrate", env=environment)
    if code := await migration.wait():
        message = f"the migration left with {code}"
        raise StartError(message)


async def delete_topics(kafka_url: str, prefix: str) -> None:
    """Leave nothing behind on a broker that was lent to us."""
    await Fairline("", {}, Ledger(""), kafka_url, prefix).delete_topics()


async def until_ready(*processes: Process) -> None:
    """Wait until all of them serve. Raises StartError when one has left, TimeoutError."""
    for process in processes:
        await wait_until(process.is_ready, " ".join(process.words))


async def status_of(url: str) -> int:
    """Ask once; 0 where nobody answers."""
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status
    except aiohttp.ClientError:
        return 0
