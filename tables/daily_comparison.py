"""Compares what a daily ranking was summed from with the live table, and stores what it found.

The ranking is stored already: nothing here can take it back, or keep it from being there.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from domain.comparison import Comparison, Difference, overlap
from domain.ranking import Window, hours_in, live_window
from storage.daily_ranking import Compared, DailyRun, save_compared
from storage.engine import Database
from streams.stopping import check_stopping
from tables.unbroken import unbroken

log = logging.getLogger(__name__)

Compare = Callable[[Window], Awaitable[Comparison]]
"""Compares the hours that a window and the live one have in common, on every worker."""

RETRY_SECONDS = 1.0
# A million sums take seconds, and sales that are on their way are waited for.
COMPARE_SECONDS_MAX = 300.0


async def compare_run(
    database: Database,
    run: DailyRun,
    compare: Compare,
    now_ms: int,
    *,
    retry_seconds_max: float,
) -> DailyRun:
    """Compare the hours of a run that the live table still holds; never raises.

    Returns the run with what was found; as it was, where it could not be compared.
    """
    hours = len(hours_in(run.window))
    shared = overlap(run.window, live_window(now_ms, hours))
    if not hours_in(shared):
        log.info("daily ranking of %s: the live table holds none of its hours any more", run.day)
        return run
    try:
        found = await _found(shared, compare, retry_seconds_max)
        compared = Compared(found.products, len(hours_in(found.window)), found.differences)
        await unbroken(save_compared(database, run, compared))
    except Exception as error:
        check_stopping(error)
        log.warning("daily ranking of %s is not compared with the live table: %r", run.day, error)
        return run
    _tell(run, compared, found)
    return replace(run, compared=compared)


async def _found(window: Window, compare: Compare, retry_seconds_max: float) -> Comparison:
    """Ask until there is an answer. Raises what the last question raised, after a while."""
    deadline = time.monotonic() + retry_seconds_max
    while True:
        try:
            async with asyncio.timeout(COMPARE_SECONDS_MAX):
                return await compare(window)
        except Exception as error:
            check_stopping(error)
            if time.monotonic() > deadline:
                raise
            log.debug("the live table cannot be compared yet: %r", error)
            await asyncio.sleep(RETRY_SECONDS)


def _tell(run: DailyRun, compared: Compared, found: Comparison) -> None:
    log.log(
        logging.WARNING if compared.differences else logging.INFO,
        "daily ranking of %s: compared %d products over %d hours with the live table: "
        "%d differences%s",
        run.day,
        compared.products,
        compared.hours,
        compared.differences,
        "".join(f"; {_shown(each)}" for each in found.first),
    )


def _shown(each: Difference) -> str:
    return f"product {each.product_id} hour {each.hour_ms}: {each.table} live, {each.sql} sold"
