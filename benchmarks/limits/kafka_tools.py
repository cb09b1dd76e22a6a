"""Kafka's own perf tools: what the broker takes and gives by itself, with its own clients."""

import asyncio
import os
import re
import subprocess
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from app.services.jars import kafka_jars
from app.services.java import find_java
from benchmarks.cpu import cpu_seconds
from benchmarks.limits.installation import delete_topics
from benchmarks.limits.options import Options
from benchmarks.limits.pin import PINS
from benchmarks.limits.waiting import charges
from benchmarks.services import Services
from streams.admin import ensure_topics
from streams.codec import encode_command
from streams.command_ids import new_command_id
from streams.topics import Topic

PARTITIONS = 8
SENT = re.compile(r"(\d+) records sent, ([\d.]+) records/sec")


class KafkaRate(msgspec.Struct):
    """What one tool has done."""

    tool: str
    records: int
    record_bytes: int
    per_second: float
    client_us: float
    """CPU microseconds of the tool for each record, without the start of its Java."""
    broker_us: float | None
    """The broker's; None where it is not ours."""
    fault: str = ""


async def measure(services: Services, _folder: Path, options: Options) -> list[KafkaRate]:
    """Write so many records of a command's size, and read them."""
    url, records = services.urls["broker"], options.commands
    topic = Topic(f"limits-{uuid.uuid4().hex[:8]}", PARTITIONS)
    await ensure_topics(url, [topic])
    try:
        writes = partial(producer_words, url, topic.name)
        written = await _run_warm(services, "ProducerPerformance", writes, records)
        reads = partial(consumer_words, url, topic.name)
        read = await _run_warm(services, "ConsumerPerformance", reads, records)
    finally:
        await delete_topics(url, topic.name)
    found = [
        written.rate("producer", sent(written.output), records),
        read.rate("consumer", fetched(read.output), records),
    ]
    for each in found:
        tell(each)
    return found


def record_bytes() -> int:
    """Return the size of a command as an edge appends it."""
    return len(encode_command(new_command_id(), next(charges(1))))


def producer_words(url: str, topic: str, records: int) -> list[str]:
    """Say to the tool what a careful producer does: acks of all, no record twice."""
    shape = ["--topic", topic, "--num-records", str(records), "--throughput", "-1"]
    careful = [f"bootstrap.servers={url}", "acks=all", "enable.idempotence=true", "linger.ms=5"]
    return [*shape, "--record-size", str(record_bytes()), "--producer-props", *careful]


def consumer_words(url: str, topic: str, records: int) -> list[str]:
    """Say to the tool what it reads, and that a slow machine is no failure."""
    shape = ["--topic", topic, "--messages", str(records), "--timeout", "60000"]
    return ["--bootstrap-server", url, *shape]


def sent(output: str) -> tuple[int, float]:
    """Read the producer's last line: records and records per second."""
    found = SENT.findall(output)
    return (int(found[-1][0]), float(found[-1][1])) if found else (0, 0.0)


def fetched(output: str) -> tuple[int, float]:
    """Read the consumer's table: records and records per second of fetching alone."""
    lines = [line.split(", ") for line in output.splitlines() if ", " in line]
    head, values = lines[-2], lines[-1]
    row = dict(zip(head, values, strict=True))
    return int(row["data.consumed.in.nMsg"]), float(row["fetch.nMsg.sec"])


@dataclass(frozen=True)
class _Ran:
    """One run of a tool: what it printed, and CPU seconds."""

    output: str
    client_seconds: float
    broker_seconds: float | None

    def rate(self, tool: str, found: tuple[int, float], records: int) -> KafkaRate:
        """Say what it means for each record."""
        count, per_second = found
        broker = self.broker_seconds
        return KafkaRate(
            tool=tool,
            records=count,
            record_bytes=record_bytes(),
            per_second=per_second,
            client_us=self.client_seconds * 1e6 / records,
            broker_us=None if broker is None else broker * 1e6 / records,
            fault="" if count >= records else f"{records} records, but the tool tells {count}",
        )


async def _run_warm(
    services: Services, tool: str, words: Callable[[int], Sequence[str]], records: int
) -> _Ran:
    """Run a tool, less the CPU time of a run with one record: that is Java's start."""
    start = await _run(services, tool, words(1))
    ran = await _run(services, tool, words(records))
    return replace(ran, client_seconds=ran.client_seconds - start.client_seconds)


async def _run(services: Services, tool: str, words: Sequence[str]) -> _Ran:
    java: list[str | Path] = [find_java(), "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp"]
    class_path = os.pathsep.join(map(str, [*kafka_jars(), *kafka_jars(PINS)]))
    pids = {part: pid for part, pid in services.pids.items() if part == "broker"}
    before, used = os.times(), cpu_seconds(pids)
    process = await asyncio.create_subprocess_exec(
        *java, class_path, f"org.apache.kafka.tools.{tool}", *words, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    after, spent = os.times(), cpu_seconds(pids)
    if process.returncode:
        message = f"{tool} left with {process.returncode}"
        raise RuntimeError(message)
    client = after.children_user + after.children_system
    client -= before.children_user + before.children_system
    broker = spent["broker"] - used["broker"] if "broker" in spent else None
    return _Ran(output.decode(), client, broker)


def tell(rate: KafkaRate) -> None:
    """One line while it runs."""
    broker = "" if rate.broker_us is None else f", broker {rate.broker_us:.1f} µs"
    line = f"Kafka's {rate.tool}: {rate.per_second:,.0f}/s (tool {rate.client_us:.1f} µs{broker})"
    print(line, *filter(None, [rate.fault]), sep="; ", flush=True)
