"""`fairline log adopt`: let the database follow another Kafka log, knowingly."""

from app.services.errors import StartError
from app.settings import Settings
from app.topics import topics_in
from storage.engine import create_database
from streams.log_identity import LogRefusedError, adopt_log, look_at_log
from streams.log_reader import LogReader


async def adopt(settings: Settings) -> int:
    """Begin a new log epoch at what the broker holds, and return its number."""
    database = create_database(settings.sqlalchemy_url)
    log_reader = LogReader(settings.kafka_url)
    await log_reader.start()
    try:
        log = await look_at_log(settings.kafka_url, log_reader, topics_in(settings))
        return await adopt_log(database, log, log_reader)
    except LogRefusedError as error:
        raise StartError(str(error)) from None
    finally:
        await log_reader.stop()
        await database.dispose()
