"""What growth costs, as a table and as the figure of the goal."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.growth.measuring import PARTS, WRITES, Found, Options, ShopRound, measure
from benchmarks.growth.touched import BLOCKS_READ, WAL_BYTES
from benchmarks.open_loop.works import READS
from benchmarks.report import PartFound

HEAD = (
    "| work | shop | edge ms | worker ms | database ms | all ms | ratio | range | p50 ms | p99 ms"
    " | WAL bytes | blocks read |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
)
SHOPS = (
    "| shop | rows | GB | after the run | filled in s | started in s |\n|---|--:|--:|--:|--:|--:|"
)
READ_SO = """How to read it: CPU is that of edge, worker and database; a read's without the worker.
After each checkpoint PostgreSQL writes a page whole into its log (WAL), 8 kB, when it is first
changed. In a small database that happens to few pages; in a big one nearly every new row of an
index that is ordered by chance meets another page. So the log grows, the more so the more often
it checkpoints (`max_wal_size`, `checkpoint_timeout`)."""
TOUCHED_SHOWN = 8
"""So many tables and indexes of each work are told, those that have grown the most."""


def figures(found: Found) -> dict[str, list[float]]:
    """The ratio of the work that has grown the most, pair by pair."""
    works = [work for work in WRITES if ratios(found, work)]
    worst = max(works, key=lambda work: median(ratios(found, work)), default=None)
    return {"growth_ratio": ratios(found, worst)} if worst else {}


def planned_seconds() -> float:
    """About how long `run` takes."""
    return Options().planned_seconds()


async def run(folder: Path) -> PartFound:
    """Measure in a folder, as a part of a whole run. Raises RuntimeError where it is worthless."""
    found = await measure(Options(), folder)
    if found.faults:
        raise RuntimeError("; ".join(found.faults))
    result = msgspec.Raw(msgspec.json.encode(found))
    return PartFound("growth", figures(found), to_markdown(found), result)


def ratios(found: Found, work: str) -> list[float]:
    """CPU per request on the full database to that on the empty one, pair by pair."""
    parts = parts_of(work)
    pairs = [
        (_round(found, work, "empty", n), _round(found, work, "full", n)) for n in _numbers(found)
    ]
    return [
        full.cpu_ms(parts) / empty.cpu_ms(parts)
        for empty, full in pairs
        if empty is not None and full is not None and empty.cpu_ms(parts)
    ]


def parts_of(work: str) -> Sequence[str]:
    """Name whose CPU time a work costs: a worker that only stands by has no part in it."""
    return [part for part in PARTS if part != "worker"] if work in READS else PARTS


def _numbers(found: Found) -> list[int]:
    return sorted({each.number for each in found.rounds})


def _round(found: Found, work: str, side: str, number: int) -> ShopRound | None:
    return next(
        (t for t in found.rounds if (t.work, t.side, t.number) == (work, side, number)), None
    )


def to_markdown(found: Found) -> str:
    """The figures as Markdown: CPU milliseconds per request done, medians over the rounds."""
    rows = [
        f"| {shop.name} | {sum(shop.rows.values()):,} | {shop.bytes_before / 1e9:.2f}"
        f" | {shop.bytes_after / 1e9:.2f} | {shop.fill_seconds:.0f} | {shop.start_seconds:.0f} |"
        for shop in found.shops
    ]
    lines = [*found.circumstances.lines(), f"- {found.rate:,.0f} requests per second on each"]
    works = list(dict.fromkeys(each.work for each in found.rounds))
    table = [_row(found, work, side) for work in works for side in ("empty", "full")]
    grown = [line for work in works for line in _grown(found, work)]
    return "\n".join([*lines, "", SHOPS, *rows, "", HEAD, *table, "", READ_SO, "", *grown])


def _row(found: Found, work: str, side: str) -> str:
    rounds = [each for each in found.rounds if (each.work, each.side) == (work, side)]

    def middle(figure: Callable[[ShopRound], float]) -> float:
        return median(map(figure, rounds))

    paired = ratios(found, work) if side == "full" else []
    cells = [
        work,
        side,
        *(f"{median(each.cpu_ms([part]) for each in rounds):.2f}" for part in PARTS),
        f"{middle(lambda each: each.cpu_ms(parts_of(work))):.2f}",
        f"{median(paired):.2f}" if paired else "",
        f"{min(paired):.2f} to {max(paired):.2f}" if paired else "",
        f"{middle(lambda each: each.heard.p50_ms):.1f}",
        f"{middle(lambda each: each.heard.p99_ms):.0f}",
        f"{middle(lambda each: each.per_request(WAL_BYTES)):,.0f}",
        f"{middle(lambda each: each.per_request(BLOCKS_READ)):.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _grown(found: Found, work: str) -> list[str]:
    """Name what is touched more often on the full database, in blocks per request."""
    rounds = [each for each in found.rounds if each.work == work]
    names = {name for each in rounds for name in each.touched} - {WAL_BYTES}
    sides = [[each for each in rounds if each.side == side] for side in ("empty", "full")]
    if not all(sides):
        return []
    more = []
    for name in names:
        empty, full = (median(each.per_request(name) for each in side) for side in sides)
        more.append((full - empty, f"{name} {empty:.2f} to {full:.2f}"))
    told = [line for by, line in sorted(more, reverse=True)[:TOUCHED_SHOWN] if by > 0.05]
    return [f"- {work}, blocks per request: {'; '.join(told) or 'no more than before'}"]
