"""The database of a command, open while it works; what cannot be reached is told in a line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from app.services.errors import AwayError, one_line
from app.settings import Settings
from storage.engine import Database, create_database


@asynccontextmanager
async def opened(settings: Settings, who: str = "this") -> AsyncIterator[Database]:
    """Open the database of these settings while the block runs.

    Raises AwayError where the block meets a database or a broker that does not answer; `who`
    needs it, as the line says.
    """
    database = create_database(settings.sqlalchemy_url)
    try:
        yield database
    except (KafkaError, OSError, SQLAlchemyError) as error:
        message = f"what {who} needs does not answer: {one_line(error)}"
        raise AwayError(message) from error
    finally:
        await database.dispose()
