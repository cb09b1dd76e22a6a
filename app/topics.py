"""Which topics an installation has, by its settings."""

from app.settings import Settings
from streams.topics import Topics, topics_of


def topics_in(settings: Settings) -> Topics:
    """Return the topics of this installation."""
    return topics_of(settings.topic_prefix, settings.partitions, settings.retention_days)
