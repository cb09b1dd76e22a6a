"""Servers and processes of one installation that may be killed at any moment, and come back."""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from app.addresses import answers_ok
from app.services.child import Child, Launch
from app.services.kafka import Kafka
from app.services.ports import free_port
from app.services.postgres import Postgres
from app.services.valkey import Valkey
from app.settings import Settings
from tests.chaos import clock
from tests.chaos.proxies import FaultProxy
from tests.installation import environment

AGAIN_SECONDS = 1.0
"""How long a supervisor waits before it starts again what has left."""
ANSWER_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 20.0
SESSION_TIMEOUT_SECONDS = 6
PARTITIONS = 4


def now_ms() -> int:
    """Tell the time of the harness's own clock."""
    return time.time_ns() // 1_000_000


class Server:
    """One of the three real servers, killed and started again on its port and data."""

    def __init__(self, service: Kafka | Postgres | Valkey) -> None:
        self.service = service
        self.name = service.name
        self.child: Child | None = None

    async def start(self) -> None:
        """Start it and wait until it answers; one that left in between is started once more."""
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while not await asyncio.to_thread(self.service.answers):
            assert time.monotonic() < deadline, f"{self.name} does not answer"
            if self.child is None or self.child.exit_code() is not None:
                # After kill -9 what is left of its former self may hold the folder for a moment.
                self.child = self.service.launch()
            await asyncio.sleep(0.1)

    def kill(self) -> None:
        """Kill it with SIGKILL and wait until it is gone."""
        assert self.child is not None
        self.child.process.kill()
        self.child.process.wait()

    def stop(self) -> None:
        """End it in order."""
        if self.child is not None:
            self.child.stop(STOP_SECONDS_MAX)


@dataclass(frozen=True)
class Exit:
    """That a process has left, and how."""

    at_ms: int
    member: str
    code: int
    asked: str
    """What the harness did to it: a signal's name, or nothing."""
    seconds: float | None
    """How long it took from the asking."""

    def shown(self) -> dict[str, Any]:
        """Show it as the evidence has it."""
        return {
            "atMs": self.at_ms,
            "member": self.member,
            "code": self.code,
            "asked": self.asked,
            "seconds": self.seconds,
        }


@dataclass
class Member:
    """One process of ours, started again whenever it has left."""

    name: str
    launch: Callable[[], Child]
    port: int
    database: FaultProxy
    redis: FaultProxy
    clock: Path
    """The skew of its clock, where it has one that may go wrong."""
    child: Child = field(init=False)
    asked: str = ""
    asked_at: float = 0.0
    left_at: float | None = None
    is_wanted: bool = True

    def start(self) -> None:
        """Start it, for the first time or again."""
        self.child = self.launch()
        self.asked, self.left_at = "", None

    @property
    def is_running(self) -> bool:
        """Tell whether the process is there."""
        return self.child.exit_code() is None

    def has_left(self) -> bool:
        """Tell whether the process is gone."""
        return not self.is_running

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, and remember which."""
        if self.is_running:
            if number not in (signal.SIGSTOP, signal.SIGCONT):
                self.asked, self.asked_at = number.name, time.monotonic()
            self.child.process.send_signal(number)

    def tend(self) -> Exit | None:
        """Look after it; tell when it has left."""
        if (code := self.child.exit_code()) is None:
            return None
        now = time.monotonic()
        if self.left_at is None:
            self.left_at = now
            seconds = round(now - self.asked_at, 2) if self.asked else None
            return Exit(now_ms(), self.name, code, self.asked, seconds)
        if self.is_wanted and now - self.left_at > AGAIN_SECONDS:
            self.start()
        return None

    @property
    def url(self) -> str:
        """Where it answers HTTP."""
        return f"http://127.0.0.1:{self.port}"

    async def is_ready(self) -> bool:
        """Ask whether it is ready."""
        return await asyncio.to_thread(answers_ok, f"{self.url}/readyz")


class Servers:
    """Kafka, PostgreSQL and Valkey in one folder; installations may share them."""

    def __init__(self, folder: Path) -> None:
        self.kafka = Kafka(folder / "kafka", free_port())
        self.postgres = Postgres(folder / "postgres", free_port())
        self.valkey = Valkey(folder / "valkey", free_port())
        services = (self.kafka, self.postgres, self.valkey)
        self.named = {each.name: Server(each) for each in services}

    async def start(self) -> None:
        """Start all three and wait until they answer."""
        for server in self.named.values():
            server.service.prepare()
        await asyncio.gather(*(server.start() for server in self.named.values()))

    async def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"chaos_{secrets.token_hex(4)}"
        await execute(self.postgres.url, f"CREATE DATABASE {name}")
        return urlsplit(self.postgres.url)._replace(path=f"/{name}").geturl()

    def stop(self) -> None:
        """End all three."""
        for server in self.named.values():
            server.stop()


async def execute(database_url: str, *statements: str) -> None:
    """Carry out statements on a database, one after the other."""
    connection = await asyncpg.connect(database_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@dataclass(frozen=True)
class Shape:
    """How many processes of each kind there are, and what program they are."""

    edges: int = 2
    workers: int = 3
    rankings: int = 1
    program: str = "app.cli"


class Cluster:
    """One installation: its database and topics, its processes, and the supervisor of these."""

    def __init__(self, folder: Path, servers: Servers, shape: Shape) -> None:
        self.folder = folder
        self.servers = servers
        self.shape = shape
        self.kafka_url = servers.kafka.url
        self.database_url = ""
        self.topic_prefix = f"c{secrets.token_hex(4)}-"
        self.members: dict[str, Member] = {}
        self.exits: list[Exit] = []
        self._tending: asyncio.Task[None] | None = None

    async def start(self, loosened: Sequence[str] = ()) -> None:
        """Make a database and topics, start the processes, and wait until all are ready.

        `loosened` are statements that take something off the database before anybody uses it.
        """
        self.database_url = await self.servers.new_database()
        await self._migrate()
        await execute(self.database_url, *loosened)
        for name, words, port_name in self._roles():
            self.members[name] = await self._member(name, words, port_name)
            self.members[name].start()
        self._tending = asyncio.create_task(self._tend())
        await self.ready()

    async def ready(self, seconds_max: float = ANSWER_SECONDS_MAX) -> None:
        """Wait until every process says that it is ready."""
        deadline = time.monotonic() + seconds_max
        while not all(await asyncio.gather(*(m.is_ready() for m in self.members.values()))):
            assert time.monotonic() < deadline, f"not all are ready: {await self._unready()}"
            await asyncio.sleep(0.2)

    async def _unready(self) -> list[str]:
        return [name for name, member in self.members.items() if not await member.is_ready()]

    def named(self, kind: str) -> list[Member]:
        """List the processes of a kind: edge, worker, ranking."""
        return [member for name, member in self.members.items() if name.startswith(kind)]

    @property
    def settings(self) -> Settings:
        """What all processes share; each adds its own ports and proxies."""
        return Settings(
            kafka_url=self.kafka_url,
            database_url=self.database_url,
            redis_url=self.servers.valkey.url,
            topic_prefix=self.topic_prefix,
            partitions=PARTITIONS,
            session_timeout_seconds=SESSION_TIMEOUT_SECONDS,
            order_expiry_seconds=60,
            balance_max=1_000_000,
        )

    def _roles(self) -> list[tuple[str, list[str], str]]:
        shape, ranking = self.shape, ["worker", "--kind", "ranking"]
        return [
            *((f"worker-{n}", ["worker"], "worker_port") for n in range(1, shape.workers + 1)),
            *((f"ranking-{n}", ranking, "ranking_port") for n in range(1, shape.rankings + 1)),
            *((f"edge-{n}", ["edge"], "http_port") for n in range(1, shape.edges + 1)),
        ]

    async def _member(self, name: str, words: list[str], port_name: str) -> Member:
        database, redis = (
            FaultProxy(self.servers.postgres.port),
            FaultProxy(self.servers.valkey.port),
        )
        await database.open()
        await redis.open()
        port = free_port()
        settings = self.settings.model_copy(
            update={
                "database_url": through(self.database_url, database.port),
                "redis_url": through(self.servers.valkey.url, redis.port),
                "data_dir": self.folder / name,
                "edge_number": int(name[-1]),
                port_name: port,
            }
        )
        settings.data_dir.mkdir()
        clock_file = settings.data_dir / "clock"
        clock.set_skew(clock_file, 0)
        program = "tests.chaos.clock" if name in self._with_a_clock() else self.shape.program
        launch = Launch(
            (sys.executable, "-m", *program.split(), *words),
            log=self.log_of(name),
            environment={**environment(settings), clock.VARIABLE: str(clock_file)},
        )
        return Member(name, lambda: Child(launch), port, database, redis, clock_file)

    def _with_a_clock(self) -> set[str]:
        """Name the processes whose clock may go wrong: the last of each kind, if it is ours."""
        if self.shape.program != "app.cli":
            return set()
        return {f"worker-{self.shape.workers}", f"edge-{self.shape.edges}"}

    def clocks(self) -> list[Member]:
        """List the processes whose clock may go wrong."""
        return [self.members[name] for name in sorted(self._with_a_clock())]

    def log_of(self, name: str) -> Path:
        """Where a process writes its log."""
        return self.folder / "logs" / f"{name}.log"

    async def _migrate(self) -> None:
        (self.folder / "logs").mkdir(exist_ok=True)
        settings = self.settings.model_copy(update={"data_dir": self.folder / "migrate"})
        code, text = await self.run_to_end(settings, "migrate")
        assert code == 0, text

    async def run_to_end(self, settings: Settings, *words: str) -> tuple[int, str]:
        """Run a command of ours to its end; return its exit code and all that it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app.cli",
            *words,
            env=environment(settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode(errors="replace")

    async def _tend(self) -> None:
        while True:
            self.exits += [left for m in self.members.values() if (left := m.tend())]
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End all processes; the servers go on."""
        if self._tending is not None:
            self._tending.cancel()
        for member in self.members.values():
            # One that is stopped hears nothing else.
            with suppress(ProcessLookupError):
                os.kill(member.child.pid, signal.SIGCONT)
            member.child.ask()
        await asyncio.to_thread(self._stop_all)
        for member in self.members.values():
            await member.database.shut()
            await member.redis.shut()

    def _stop_all(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS_MAX
        for member in self.members.values():
            member.child.stop(max(0.1, deadline - time.monotonic()))


def through(url: str, port: int) -> str:
    """Lead a URL through a proxy on this machine."""
    parts = urlsplit(url)
    credentials = f"{parts.username}:{parts.password}@" if parts.username else ""
    return parts._replace(netloc=f"{credentials}127.0.0.1:{port}").geturl()
