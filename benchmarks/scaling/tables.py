"""The tables of docs/scaling.md, and the page that they are written into."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.scaling.capacity import (
    Need,
    carries,
    displaced,
    need,
    partitions_for,
)
from benchmarks.scaling.costs import kinds
from benchmarks.scaling.inputs import Inputs, Source
from benchmarks.scaling.scenes import Retold, Scenes, Top

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
ORDERS = (10_000, 100_000)
BATCHES = (32, 500)
COPIES = (1_000, 10_000, 100_000)
QUOTAS = (2, 8, 32)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Make a Markdown table: words on the left, figures on the right."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def sources(inputs: Inputs) -> str:
    """Tell where every figure comes from."""
    named = {
        "CPU of each process": inputs.processes_from,
        "the batch body": inputs.body_from,
        "commits": inputs.commits_from,
        "one request alone": inputs.single_from,
        "installations for the model to tell again": inputs.measured_from,
    }
    return "\n".join(f"- {what}: {_source(source)}" for what, source in named.items())


def _source(source: Source) -> str:
    return f"{source.date}, `{source.command}`. {source.note}".rstrip(" ")


def costs(inputs: Inputs) -> str:
    """What one command costs each process, in a batch of any size."""
    head = ("command", "edge ms", "broker ms", "worker ms", "database ms")
    rows = [
        (
            name,
            f"{kind.edge:.2f}",
            f"{kind.broker:.2f}",
            f"{kind.worker.command:.3f} + {kind.worker.batch:.2f} / batch",
            f"{kind.database.command:.3f} + {kind.database.batch:.2f} / batch",
        )
        for name, kind in kinds(inputs).items()
    ]
    return _table(head, rows)


def carried(inputs: Inputs) -> str:
    """What one core of each carries in a second."""
    head = ("command", "batch", "edge", "worker", "a database's core", "a broker's core")
    rows = [
        (
            name,
            f"{batch}",
            f"{carries(kind.edge):,.0f}",
            f"{carries(kind.worker.each(batch)):,.0f}",
            f"{carries(kind.database.each(batch)):,.0f}",
            f"{carries(kind.broker):,.0f}",
        )
        for name, kind in kinds(inputs).items()
        for batch in BATCHES
    ]
    return _table(head, rows)


def needs(inputs: Inputs) -> str:
    """How many of each so many orders a second need."""
    head = ("orders/s", "batch", "edges", "workers", "partitions", "database cores")
    known = kinds(inputs)
    rows = [_need(need(known, orders, batch)) for orders in ORDERS for batch in BATCHES]
    return _table((*head, "broker cores", "commits/s"), rows)


def _need(each: Need) -> tuple[str, ...]:
    return (
        f"{each.orders:,}",
        f"{each.batch_size}",
        f"{each.edges}",
        f"{each.workers}",
        f"{partitions_for(each.workers)}",
        f"{each.database_cores}",
        f"{each.broker_cores}",
        f"{each.commits:,.0f}",
    )


def quotas() -> str:
    """How many people sub-quotas pass over."""
    head = ("copies", *(f"{number} quotas" for number in QUOTAS))
    rows = [
        (f"{copies:,}", *(f"{displaced(copies, number):,.0f}" for number in QUOTAS))
        for copies in COPIES
    ]
    return _table(head, rows)


def tops(found: Sequence[Top]) -> str:
    """The most that so many workers apply."""
    head = ("workers", "commands of orders/s", "with twice the database", "issues of one coupon/s")
    rows = [
        (
            f"{each.workers}",
            f"{each.orders:,.0f}",
            f"{each.database_twice:,.0f}",
            f"{each.one_coupon:,.0f}",
        )
        for each in found
    ]
    return _table(head, rows)


def retold(found: Sequence[Retold]) -> str:
    """What was measured beside what the model says."""
    head = ("installation", "workers", "measured/s", "model/s", "error", "p50 ms", "model's p50")
    rows = [
        (
            each.measured.name,
            f"{each.measured.workers}",
            f"{each.measured.per_second:,.0f}",
            f"{each.per_second:,.0f}",
            f"{each.error:+.0%}",
            "" if each.measured.p50_ms is None else f"{each.measured.p50_ms:.0f}",
            "" if each.measured.p50_ms is None else f"{each.p50_ms:.0f}",
        )
        for each in found
    ]
    return _table(head, rows)


def of_inputs(inputs: Inputs) -> dict[str, str]:
    """Everything that follows from the inputs without a simulation, by the name of its mark."""
    return {
        "sources": sources(inputs),
        "costs": costs(inputs),
        "carried": carried(inputs),
        "needs": needs(inputs),
        "quotas": quotas(),
    }


def to_markdown(inputs: Inputs, scenes: Scenes) -> dict[str, str]:
    """Everything, by the name of its mark."""
    simulated = {"tops": tops(scenes.tops), "retold": retold(scenes.retold)}
    return {**of_inputs(inputs), **simulated}


def written(page: str, name: str, text: str) -> str:
    """Put a text between the marks of a page; marks that are not there are an error."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = page.partition(begin)
    _, found_too, after = rest.partition(end)
    if not (found and found_too):
        message = f"the page has no place for {name}"
        raise ValueError(message)
    return f"{before}{begin}\n{text}\n{end}{after}"
