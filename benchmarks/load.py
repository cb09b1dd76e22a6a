"""The load: requests by wrk where it is installed, else a closed loop of our own client."""

import asyncio
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

SCRIPT = Path(__file__).with_name("posts.lua")
USERS = 20_000
"""Charges and orders are spread over so many users."""
PRODUCTS = 1_000
"""Orders are of so many products, by Zipf: the second sells half as well as the first."""


@dataclass(frozen=True)
class Load:
    """What is sent, where to, and for how long. The round seeds the choice of users."""

    work: str
    url: str
    connections: int
    seconds: int
    round_number: int
    code: str = "-"
    pause_ms: int = 0
    """How long a connection rests before each request, in the mean. Only wrk can do that."""


class Answers(msgspec.Struct):
    """What came back. The latencies are those of all answers, refusals too."""

    seconds: float
    statuses: dict[str, int]
    broken: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    reads: int = 0
    """Of the answers of 200, those that only read."""

    @property
    def accepted(self) -> int:
        """Answers that say: done."""
        return self.statuses.get("200", 0)

    @property
    def written(self) -> int:
        """Answers that say that something was changed."""
        return self.accepted - self.reads

    @property
    def undecided(self) -> int:
        """Answers that leave open whether it was done, or will be."""
        return sum(self.statuses.get(status, 0) for status in ("202", "500", "503")) + self.broken


async def send(load: Load) -> Answers:
    """Run the load in a process of its own and read its one line of JSON."""
    command = _wrk(load) if shutil.which("wrk") else _our_client(load)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        output, _ = await process.communicate()
    finally:
        # After Ctrl-C it would go on loading a server that is about to stop.
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        message = f"the load generator left with {process.returncode}"
        raise RuntimeError(message)
    return msgspec.json.decode(output.splitlines()[-1], type=Answers)


def generator() -> str:
    """Which generator `send` takes."""
    return "wrk" if shutil.which("wrk") else "benchmarks.client"


def sendable(works: Sequence[str]) -> list[str]:
    """Of these works, those that the generator can send."""
    return [work for work in works if shutil.which("wrk") or work in ("charge", "coupon")]


def _wrk(load: Load) -> list[str]:
    # One thread: more would take a core from the servers, and one sends 13,000 requests/s.
    shape = ["-t1", f"-c{load.connections}", f"-d{load.seconds}s", "--timeout", "15s"]
    script = ["-s", str(SCRIPT), load.url, "--"]
    return ["wrk", *shape, *script, *_what(load), str(load.pause_ms)]


def _our_client(load: Load) -> list[str]:
    how = [load.url, str(load.connections), str(load.seconds)]
    return [sys.executable, "-m", "benchmarks.client", *how, *_what(load)]


def _what(load: Load) -> list[str]:
    return [load.work, str(load.round_number), str(USERS), str(PRODUCTS), load.code]
