"""`fairline migrate`: the tables of this version, and the topics that are missing."""

import asyncio

from aiokafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from app.ingress import ingress_topics
from app.services.errors import StartError, one_line
from app.settings import Settings
from app.topics import topics_in
from app.urls import without_password
from storage.migrate import upgrade
from streams.admin import ensure_topics


def prepare(settings: Settings) -> None:
    """Bring the database to this version and make missing topics; done again it does nothing."""
    try:
        upgrade(settings.sqlalchemy_url)
    except (OSError, SQLAlchemyError) as error:
        raise _cannot_reach(settings.sqlalchemy_url, "FAIRLINE_DATABASE_URL", error) from error
    try:
        asyncio.run(_make_topics(settings))
    except (OSError, KafkaError) as error:
        raise _cannot_reach(settings.kafka, "FAIRLINE_KAFKA_URL", error) from error


async def _make_topics(settings: Settings) -> None:
    topics = [*topics_in(settings).all, *ingress_topics(settings)]
    await ensure_topics(settings.kafka, topics, replication=settings.replication)


def _cannot_reach(url: str, variable: str, error: Exception) -> StartError:
    return StartError(f"cannot use {without_password(url)} ({variable}): {one_line(error)}")
