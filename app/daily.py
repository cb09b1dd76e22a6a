"""`fairline ranking run-batch`: the daily ranking, made or shown by hand."""

from collections.abc import Mapping
from datetime import date, datetime

from app.services.errors import StartError
from app.settings import Settings
from app.topics import topics_in
from storage.daily_ranking import DailyRun
from storage.engine import create_database
from tables.daily import DailyBatch
from tables.worker import offsets_at


async def run_batch(settings: Settings, day: date | None) -> DailyRun:
    """Make a day's ranking, today's where none is named; one that was made before stays.

    Raises StartError for a day whose midnight has not come.
    """
    today = datetime.now(settings.zone).date()
    wanted = day or today
    if wanted > today:
        message = f"the midnight of {wanted} has not come yet ({settings.time_zone})"
        raise StartError(message)
    database = create_database(settings.sqlalchemy_url)

    async def offsets(at_ms: int) -> Mapping[tuple[str, int], int]:
        topic = topics_in(settings).user_commands
        return await offsets_at(settings.kafka_url, topic, at_ms)

    try:
        return await DailyBatch(database, settings.zone, offsets).run(wanted)
    finally:
        await database.dispose()


def described(run: DailyRun, settings: Settings) -> str:
    """Say in lines what a day's ranking holds."""
    first, last, made = (
        datetime.fromtimestamp(at_ms / 1000, settings.zone).isoformat(timespec="minutes")
        for at_ms in (*run.window, run.completed_at_ms)
    )
    head = f"daily ranking of {run.day}, made {made}: sales from {first} to {last}"
    lines = [
        f"{place.rank}. {place.name} (product {place.product_id}, {place.price} won): "
        f"{place.quantity} sold"
        for place in run.places
    ]
    return "\n".join([head, *(lines or ["nothing was sold"])])
