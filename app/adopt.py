"""`fairline log adopt`: let the database follow another Kafka log, knowingly."""

from app.services.errors import StartError
from app.settings import Settings
from app.topics import topics_in
from storage.engine import Database, create_database
from storage.marks import find_log_epoch
from streams.left_behind import LeftBehind
from streams.log_identity import LogRefusedError, adopt_log, look_at_log
from streams.log_reader import LogReader
from streams.published import Published
from streams.publisher import Publisher


async def adopt(settings: Settings) -> int:
    """Begin a new log epoch at what the broker holds, and return its number.

    Rows of the old epoch that no worker has published yet are published first: their records
    are known by their ids from now on, and would bring an outcome, but no events.
    """
    database = create_database(settings.sqlalchemy_url)
    log_reader = LogReader(settings.kafka)
    await log_reader.start()
    try:
        log = await look_at_log(settings.kafka, log_reader, topics_in(settings))
        await _publish_left_behind(settings, database)
        return await adopt_log(database, log, log_reader)
    except LogRefusedError as error:
        raise StartError(str(error)) from None
    finally:
        await log_reader.stop()
        await database.dispose()


async def _publish_left_behind(settings: Settings, database: Database) -> None:
    async with database.connect() as connection:
        known = await find_log_epoch(connection)
    if known is None:
        return
    publisher = Publisher(settings.kafka, topics_in(settings))
    await publisher.start()
    try:
        await LeftBehind(database, publisher, Published(), known.epoch).publish()
    finally:
        await publisher.stop()
