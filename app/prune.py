"""`fairline log prune`: what is past the idempotency window, counted or taken out at once."""

from collections.abc import Callable
from datetime import UTC, datetime

from app.node import faust_settings
from app.opened import opened
from app.settings import Settings
from streams.admin import committed_offsets
from streams.retention import Bounds, Pruner
from streams.topics import DAY_MS

Say = Callable[[str], None]


async def prune(settings: Settings, say: Say, *, dry_run: bool) -> None:
    """Prune the command log, or count what would go, and say so for each partition."""
    group = faust_settings(settings, "commands", settings.worker_port).group
    async with opened(settings, "pruning") as database:
        pruner = Pruner(
            database,
            lambda: committed_offsets(settings.kafka, group),
            settings.retention_days * DAY_MS,
        )
        bounds = await pruner.find_bounds()
        if bounds.before_ms <= 0:
            say("nothing was applied yet")
            return
        before = datetime.fromtimestamp(bounds.before_ms / 1000, UTC)
        say(f"older than {before:%Y-%m-%d %H:%M} UTC ({settings.retention_days} days):")
        await (_count if dry_run else _prune)(pruner, bounds, say)


async def _count(pruner: Pruner, bounds: Bounds, say: Say) -> None:
    total = 0
    for place in await pruner.list_partitions():
        if rows := await pruner.count(place, bounds):
            say(f"  {place.topic}[{place.partition}] in epoch {place.epoch}: {rows} rows")
            total += rows
    promises = await pruner.count_promises(bounds)
    say(f"{total} rows of the command log and {promises} promises of an outcome would go")


async def _prune(pruner: Pruner, bounds: Bounds, say: Say) -> None:
    total = 0
    for place in await pruner.list_partitions():
        rows = sum([rows async for rows in pruner.prune(place, bounds)])
        if rows:
            say(f"  {place.topic}[{place.partition}] in epoch {place.epoch}: {rows} rows")
            total += rows
    promises = sum([rows async for rows in pruner.prune_promises(bounds)])
    say(f"{total} rows of the command log and {promises} promises of an outcome are gone")
