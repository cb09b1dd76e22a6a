"""`fairline ranking run-batch`: the daily ranking, made or shown by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from app.services.errors import StartError
from app.settings import Settings
from app.topics import topics_in
from domain.ranking import daily_window
from storage.engine import create_database
from storage.sales import DailyPlace, list_daily_ranking
from tables.daily import DailyBatch
from tables.worker import offsets_at


@dataclass(frozen=True, slots=True)
class StoredRanking:
    """A day's stored ranking, and whether it was made just now."""

    day: date
    places: list[DailyPlace]
    is_new: bool


async def run_batch(settings: Settings, day: date | None) -> StoredRanking:
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
        made = await DailyBatch(database, settings.zone, offsets).run(wanted)
        async with database.connect() as connection:
            places = await list_daily_ranking(connection, wanted)
        return StoredRanking(wanted, places, made is not None)
    finally:
        await database.dispose()


def described(ranking: StoredRanking, settings: Settings) -> str:
    """Say in lines what a day's ranking holds."""
    window = daily_window(ranking.day, settings.zone)
    first, last = (
        datetime.fromtimestamp(at_ms / 1000, settings.zone).isoformat(timespec="minutes")
        for at_ms in (window.start_ms, window.end_ms)
    )
    how = "made" if ranking.is_new else "made before"
    head = f"daily ranking of {ranking.day}, {how}: sales from {first} to {last}"
    lines = [
        f"{place.rank}. {place.name} (product {place.product_id}, {place.price} won): "
        f"{place.quantity} sold"
        for place in ranking.places
    ]
    return "\n".join([head, *(lines or ["nothing was sold"])])
