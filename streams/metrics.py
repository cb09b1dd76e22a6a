"""What a process counts of itself, for operators: every name in one place, one registry.

Counted once for a batch where that can be: a command must not pay for it.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from streams.records import Partition

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

REGISTRY = CollectorRegistry()
# Memory, processor time and open files keep the names that every dashboard knows: process_...
ProcessCollector(registry=REGISTRY)

RECORDS = Counter(
    "fairline_records_applied",
    "Records of the command topics that were applied, by what became of them.",
    ["disposition"],
    registry=REGISTRY,
)
REPLAYS = Counter(
    "fairline_records_replayed",
    "Records that came again below their mark, and were published again.",
    registry=REGISTRY,
)
BATCHES = Counter(
    "fairline_batches", "Transactions that applied or repeated records.", registry=REGISTRY
)
PRUNED = Counter(
    "fairline_rows_pruned",
    "Rows older than the idempotency window that were taken out of the database, by table.",
    ["table"],
    registry=REGISTRY,
)
DEAD_LETTERS = Counter(
    "fairline_dead_letters",
    "Records that could not be applied and were kept as dead letters, by reason.",
    ["reason"],
    registry=REGISTRY,
)
LAG = Gauge(
    "fairline_lag_records",
    "Records of an own partition that this worker has not finished.",
    ["topic", "partition"],
    registry=REGISTRY,
)
STALLS = Counter(
    "fairline_stalls",
    "Times that a part of this process was seen to stand still.",
    ["part"],
    registry=REGISTRY,
)
ALARMS = Gauge(
    "fairline_alarm",
    "1 while the alarm of this name is raised; /readyz says what it is about.",
    ["name"],
    registry=REGISTRY,
)
LOOP_DELAY = Histogram(
    "fairline_loop_delay_seconds",
    "How much later than asked for the event loop woke who slept.",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5),
    registry=REGISTRY,
)
REQUESTS = Counter(
    "fairline_requests",
    "Requests that were answered, by the template of their route.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
REFUSED = Counter(
    "fairline_refused",
    "Requests and connections that this edge turned away to protect itself, by what for.",
    ["what"],
    registry=REGISTRY,
)
WAITING = Gauge(
    "fairline_waiting_records",
    "Records of a command topic that no worker has applied yet, as this edge knows it.",
    ["topic", "partition"],
    registry=REGISTRY,
)


def note_batch(dispositions: Iterable[str], replays: int) -> None:
    """Count a transaction that was committed: its records, and those it only repeated."""
    BATCHES.inc()
    if replays:
        REPLAYS.inc(replays)
    for disposition, number in Tally(dispositions).items():
        RECORDS.labels(disposition).inc(number)


def show_alarms(names: Iterable[str]) -> None:
    """Let these alarms be raised, and no others."""
    ALARMS.clear()
    for name in names:
        ALARMS.labels(name).set(1)


def show_lines(gauge: Gauge, numbers: Mapping[Partition, int | None]) -> None:
    """Let a gauge of partitions show these numbers, and no others; None is not known."""
    gauge.clear()
    for (topic, partition), number in numbers.items():
        if number is not None:
            gauge.labels(topic, str(partition)).set(number)


def render() -> bytes:
    """Return all that was counted, as Prometheus reads it."""
    return generate_latest(REGISTRY)
