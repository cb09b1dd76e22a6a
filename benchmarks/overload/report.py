"""What an overload has shown, in lines of Markdown."""

from pathlib import Path

import msgspec

from benchmarks.overload.measuring import OURS, Found, Options, measure
from benchmarks.report import PartFound


def planned_seconds() -> float:
    """About how long `run` takes: the last who were told to come back are waited for."""
    options = Options()
    return options.capacity_seconds + options.seconds * options.times + 60


async def run(folder: Path) -> PartFound:
    """Overload, as a part of a whole run. Raises RuntimeError where it is worthless."""
    found = await measure(Options(), folder)
    if found.faults:
        raise RuntimeError("; ".join(found.faults))
    result = msgspec.Raw(msgspec.json.encode(found))
    return PartFound("overload", {}, to_markdown(found), result)


def to_markdown(found: Found) -> str:
    """Write the figures as one row beside what is asked for."""
    seen = found.seen
    grown = ", ".join(f"{part} {found.growth_mb(part):+.0f} MB" for part in OURS)
    rows = [
        (
            "offered",
            f"{found.times:g} times the capacity of {found.capacity_per_second:,.0f}/s",
            "",
        ),
        ("for", f"{found.load_seconds:.0f} s, {seen.due:,} visitors", "120 s"),
        ("goodput meanwhile", f"{found.goodput:.0%} of the capacity", ">= 70 %"),
        ("p99 of what was accepted", f"{seen.p99_ms:,.0f} ms", "<= 3,000 ms"),
        ("memory, from half time on", grown, "none"),
        ("refused at least once", f"{seen.refused:,}", ""),
        ("refusals that told no time", f"{seen.untold:,}", "0"),
        (
            "told, median and longest",
            f"{seen.told_p50_seconds:g} s, {seen.told_max_seconds:g} s",
            "",
        ),
        ("served within twice the time told", f"{found.right:.1%}", ">= 90 %"),
    ]
    table = [f"| {what} | {is_so} | {asked} |" for what, is_so, asked in rows]
    head = ["| | found | asked for |", "|---|--:|--:|"]
    missed = found.shortfalls()
    verdict = f"Missed: {'; '.join(missed)}." if missed else "All goals are met."
    return "\n".join([*found.circumstances.lines(), "", *head, *table, "", verdict])
