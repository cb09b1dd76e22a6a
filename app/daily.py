"""`fairline ranking run-batch` and `show`: the stored daily rankings, made and read by hand."""

import logging
from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from app.opened import opened
from app.ranking import check
from app.services.errors import AwayError, StartError
from app.settings import Settings
from app.topics import topics_in
from domain.comparison import Comparison
from domain.ranking import Window, daily_window
from storage.daily_ranking import DailyRun, load_daily_run, load_history
from storage.engine import Database
from storage.leases import LeaseLostError
from streams.records import Partition
from tables.daily import DailyBatch, DailyTerms, NotYetError
from tables.lease_holder import LeasedError
from tables.worker import offsets_at

log = logging.getLogger(__name__)

DAYS_SHOWN_MAX = 10


async def run_batch(settings: Settings, day: date | None, *, again: bool) -> DailyRun:
    """Make a day's ranking, today's where none is named; a stored one only if made again.

    Raises StartError for a day whose ranking cannot be made, with the reason.
    """
    today = datetime.now(settings.zone).date()
    wanted = day or today
    if wanted > today:
        message = f"the midnight of {wanted} has not come yet ({settings.time_zone})"
        raise StartError(message)
    async with opened(settings, "the ranking") as database:
        if wanted < today:
            await _require_sales(database, wanted, settings)
        try:
            await _batch(settings, database).make(wanted, again=again)
        except (NotYetError, LeasedError, LeaseLostError) as reason:
            message = f"the ranking of {wanted} cannot be made now: {reason}"
            raise AwayError(message) from None
        async with database.connect() as connection:
            return await _stored(connection, wanted)


async def _require_sales(database: Database, day: date, settings: Settings) -> None:
    try:
        midnight_ms = daily_window(day, settings.zone).end_ms
    except (ValueError, OverflowError) as error:
        message = f"there is no ranking of {day}: {error}"
        raise StartError(message) from None
    async with database.connect() as connection:
        first_sale_ms = (await load_history(connection)).first_sale_ms
    if first_sale_ms is None or first_sale_ms >= midnight_ms:
        message = f"nothing was sold before {day} began ({settings.time_zone})"
        raise StartError(message)


def _batch(settings: Settings, database: Database) -> DailyBatch:
    topics = topics_in(settings)

    async def offsets(at_ms: int) -> Mapping[Partition, int]:
        return await offsets_at(settings.kafka, topics.user_commands, at_ms)

    async def compare(window: Window) -> Comparison:
        return await check(settings, log.debug, window)

    return DailyBatch(
        database,
        DailyTerms(
            settings.zone,
            offsets,
            compare,
            hours=settings.ranking_hours,
            # Somebody waits for it: where no worker can be asked now, it says so.
            compare_retry_seconds_max=0,
        ),
    )


async def show(settings: Settings, day: date | None) -> tuple[DailyRun, list[date]]:
    """Load a day's stored ranking, or the newest, and the days that have one, newest first.

    Raises StartError where there is none.
    """
    async with opened(settings, "the ranking") as database, database.connect() as connection:
        days = (await load_history(connection)).days
        return await _stored(connection, day), days


async def _stored(connection: AsyncConnection, day: date | None) -> DailyRun:
    if (run := await load_daily_run(connection, day)) is not None:
        return run
    if days := (await load_history(connection)).days:
        message = f"no ranking of {day} is stored; {days_shown(days)}"
        raise StartError(message)
    message = "no ranking is stored yet: the first midnight after a sale makes one"
    raise StartError(message)


def described(run: DailyRun, settings: Settings) -> str:
    """Say in lines what a day's ranking holds, and what it was compared with."""
    first, last, made = (
        datetime.fromtimestamp(at_ms / 1000, settings.zone).isoformat(" ", timespec="minutes")
        for at_ms in (*run.window, run.completed_at_ms)
    )
    lines = [
        f"{place.rank}. {place.name} (product {place.product_id}, {place.price} won): "
        f"{place.quantity} sold"
        for place in run.places
    ]
    return "\n".join(
        [
            f"daily ranking of {run.day}, made {made}: sales from {first} to {last}",
            *(lines or ["nothing was sold"]),
            _compared(run),
        ]
    )


def _compared(run: DailyRun) -> str:
    if run.compared is None:
        return "not compared with the live table"
    return (
        f"compared {run.compared.products} products over {run.compared.hours} hours with the "
        f"live table: {run.compared.differences} differences"
    )


def days_shown(days: list[date]) -> str:
    """Name the days that have a stored ranking, the newest ones only where there are many."""
    named = ", ".join(str(day) for day in days[:DAYS_SHOWN_MAX])
    more = len(days) - DAYS_SHOWN_MAX
    return f"stored: {named}" + (f" and {more} older ones" if more > 0 else "")
