"""A real Faust worker whose agent does nothing: what Faust alone costs for each record.

`python -m benchmarks.limits.empty_faust KAFKA TOPIC RECORDS` reads a topic from its beginning, as
a new group, prints one line of JSON and leaves. Faust is as it comes, but for raw bytes and
uvloop, which our workers use too.
"""

import argparse
import asyncio
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import faust
import msgspec
import uvloop

SECONDS_MAX = 300.0


class Emptied(msgspec.Struct):
    """From the first record to the last."""

    records: int
    seconds: float
    cpu_seconds: float
    """Of this process, its consumer's thread included."""


@dataclass
class Reading:
    """A moment, and the CPU time used until then."""

    seconds: float
    cpu_seconds: float

    @classmethod
    def take(cls) -> "Reading":
        """Read both clocks."""
        return cls(time.monotonic(), time.process_time())

    def until(self, later: "Reading", records: int) -> Emptied:
        """Say what lies between two readings."""
        used = later.cpu_seconds - self.cpu_seconds
        return Emptied(records, later.seconds - self.seconds, used)


def create_app(kafka_url: str, folder: Path) -> Any:
    """Make an app of a group that was never there before."""
    return faust.App(
        f"empty-{uuid.uuid4().hex}",
        broker=f"kafka://{kafka_url}",
        datadir=folder,
        key_serializer="raw",
        value_serializer="raw",
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )


async def empty(kafka_url: str, topic: str, records: int, folder: Path) -> Emptied:
    """Read so many records with an agent of an empty body. Raises TimeoutError."""
    app = create_app(kafka_url, folder)
    read: asyncio.Future[Emptied] = asyncio.get_running_loop().create_future()

    async def do_nothing(stream: Any) -> None:
        seen, first = 0, Reading.take()
        async for _ in stream:
            if not seen:
                first = Reading.take()
            seen += 1
            if seen == records:
                read.set_result(first.until(Reading.take(), records - 1))

    app.agent(app.topic(topic, key_type=bytes, value_type=bytes))(do_nothing)
    await app.start()
    async with asyncio.timeout(SECONDS_MAX):
        return await read


async def main() -> None:
    """Read the command line, empty the topic, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits.empty_faust")
    parser.add_argument("kafka")
    parser.add_argument("topic")
    parser.add_argument("records", type=int)
    told = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = await empty(told.kafka, told.topic, told.records, Path(folder))
    print(msgspec.json.encode(found).decode(), flush=True)
    # Faust's threads take seconds to end, and have nothing to lose here.
    os._exit(0)


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(main())
