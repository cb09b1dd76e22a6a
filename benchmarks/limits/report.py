"""What the limits say, for people: tables, a picture, and the figures of the goal table."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.limits import batch_body, costs, drain, reads
from benchmarks.limits.costs import Cost
from benchmarks.limits.drain import Drained
from benchmarks.limits.kafka_tools import KafkaRate
from benchmarks.limits.measuring import Limits
from benchmarks.limits.pgbench import PgbenchRate
from benchmarks.limits.reads import ReadRate

PARTS = ("edge", "worker", "server", "database", "broker", "cache")


def figures(found: Limits) -> dict[str, float]:
    """Those of the parts that were measured."""
    of_drain = drain.figures(found.drain) if found.drain else {}
    of_reads = reads.figures(found.reads) if found.reads else {}
    of_costs = costs.figures(found.costs) if found.costs else {}
    return of_drain | of_reads | of_costs


def to_markdown(found: Limits) -> str:
    """Lines for the report: a table for each part, and what is missing."""
    blocks = ["\n".join(found.circumstances.lines())]
    for title, lines in _tables(found):
        blocks.append(f"#### {title}\n\n{lines}")
    blocks += [f"*{part}*: not measured: {why}" for part, why in found.missing.items()]
    return "\n\n".join(blocks)


def _tables(found: Limits) -> Iterator[tuple[str, str]]:
    if found.drain:
        yield "Waiting commands, drained", drains_table(found.drain)
    if found.batch:
        yield "The batch body without Kafka and Faust", batch_body.to_markdown(found.batch)
    if found.pgbench:
        yield "pgbench with the statements of the batch body", pgbench_table(found.pgbench)
    if found.kafka:
        yield "Kafka's own tools", kafka_table(found.kafka)
    if found.reads:
        yield "Reads, in turn with bare handlers", reads_table(found.reads)
    if found.costs:
        yield "What a command costs at load", costs_table(found.costs)


def drains_table(drains: Sequence[Drained]) -> str:
    """A row for each drain; CPU in microseconds for each command."""
    parts = ("worker", "database", "broker")
    rows = [
        [d.work, d.by, f"{d.commands:,}", f"{d.per_second:,.0f}", *_costs(d.cpu_us, parts)]
        for d in drains
    ]
    return _table(["work", "by", "commands", "done/s", *(f"{part} µs" for part in parts)], rows)


def pgbench_table(rates: Sequence[PgbenchRate]) -> str:
    """A row for each kind and size."""
    rows = [
        [
            rate.kind,
            str(rate.batch_size),
            f"{rate.per_second:,.0f}",
            f"{rate.statements:.1f}",
            "" if rate.database_us is None else f"{rate.database_us:.1f}",
        ]
        for rate in rates
    ]
    return _table(["work", "batch", "done/s", "statements a batch", "database µs"], rows)


def kafka_table(rates: Sequence[KafkaRate]) -> str:
    """A row for each tool."""
    rows = [
        [
            rate.tool,
            str(rate.record_bytes),
            f"{rate.per_second:,.0f}",
            f"{rate.client_us:.1f}",
            "" if rate.broker_us is None else f"{rate.broker_us:.1f}",
        ]
        for rate in rates
    ]
    return _table(["tool", "bytes", "records/s", "tool µs", "broker µs"], rows)


def reads_table(rates: Sequence[ReadRate]) -> str:
    """A row for each read: medians over the rounds."""
    parts = ("server", "database", "cache")
    rows = [
        [
            name,
            f"{rate.per_second:,.0f}",
            f"{rate.p50_ms:.1f}",
            f"{rate.p99_ms:.1f}",
            *_costs(rate.cpu_us, parts),
        ]
        for name, rate in reads.middles(rates).items()
    ]
    return _table(["read", "done/s", "p50 ms", "p99 ms", *(f"{p} µs" for p in parts)], rows)


def costs_table(found: Sequence[Cost]) -> str:
    """A column for each work."""
    rows = [[name, *values] for name, values in _cost_rows(found)]
    return _table(["for each command", *(cost.work for cost in found)], rows)


def _cost_rows(found: Sequence[Cost]) -> Iterator[tuple[str, list[str]]]:
    for part in PARTS:
        if any(part in cost.cpu_us for cost in found):
            yield f"CPU of the {part}, µs", [f"{cost.cpu_us.get(part, 0):.0f}" for cost in found]
    yield "bytes of WAL", [f"{cost.wal_bytes:,.0f}" for cost in found]
    for topic in dict.fromkeys(topic for cost in found for topic in cost.kafka_records):
        records = [cost.kafka_records.get(topic, 0.0) for cost in found]
        yield f"records in {topic}", [f"{number:.2f}" for number in records]
        sizes = [cost.kafka_bytes.get(topic, 0.0) for cost in found]
        yield f"bytes in {topic}", [f"{size:,.0f}" for size in sizes]
    yield "transactions", [f"{cost.transactions:.3f}" for cost in found]
    yield "round trips of the worker", [f"{cost.trips.get('worker', 0):.2f}" for cost in found]
    yield "round trips of the edge", [f"{cost.trips.get('edge', 0):.2f}" for cost in found]
    yield "records of a batch", [f"{cost.batch_records:.1f}" for cost in found]
    yield "round trips of a batch", [f"{cost.trips_per_batch:.1f}" for cost in found]
    for part in costs.OURS:
        held = [(cost.resident_mb.get(part, 0), cost.unshared_mb.get(part, 0)) for cost in found]
        yield f"memory of the {part}, MB (its own)", [f"{a:.0f} ({b:.0f})" for a, b in held]


def _costs(cpu_us: Mapping[str, float], parts: Sequence[str]) -> list[str]:
    return [f"{cpu_us[part]:.1f}" if part in cpu_us else "" for part in parts]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def draw(found: Limits, file: Path) -> None:
    """Draw what each way costs the CPU for a command, as SVG; nothing where nothing is known."""
    # Imported here: it takes a second, for a picture at the end.
    from matplotlib.figure import Figure  # noqa: PLC0415

    bars = [(f"{d.work}\n{d.by}", d.cpu_us["worker"]) for d in reversed(found.drain)]
    bars += [(f"batch body, {b.kind}\nof {b.batch_size}", b.worker_us) for b in found.batch[::-1]]
    if not bars:
        return
    figure = Figure(figsize=(8, 0.5 * len(bars) + 1), layout="constrained")
    axes = figure.subplots()
    axes.barh([name for name, _ in bars], [us for _, us in bars], color="#4477aa")
    axes.set_xlabel("CPU of the worker, microseconds for each command")
    figure.savefig(file)
