"""The overload benchmark for seconds: not how good the figures are, but that they add up."""

from pathlib import Path

from benchmarks.fairline import start_fairline
from benchmarks.machine import circumstances
from benchmarks.overload.measuring import Options, overload
from benchmarks.overload.report import to_markdown
from benchmarks.services import Services

SECONDS = Options(seconds=3.0, capacity_seconds=2, patience_seconds=60.0)


async def test_an_overload_of_seconds_adds_up(
    kafka_url: str, redis_url: str, own_database_url: str, tmp_path: Path
) -> None:
    urls = {"broker": kafka_url, "database": own_database_url, "cache": redis_url}
    async with start_fairline(Services(urls), own_database_url, tmp_path) as side:
        found = await overload(SECONDS, side, circumstances("a test"))
    seen = found.seen
    # On a busy machine the generator is late: that makes figures worthless, and sums no less true.
    assert [fault for fault in found.faults if "generator was late" not in fault] == []
    assert seen.due > 0
    # Everybody was served or still waits; who was refused was told a time, each time.
    assert seen.accepted + seen.statuses.get("202", 0) <= seen.due
    assert seen.untold == 0
    assert seen.right <= seen.returned <= seen.refused <= seen.due
    assert {"edge", "worker"} <= set(found.readings[-1].megabytes)
    assert f"{seen.due:,} visitors" in to_markdown(found)
