"""Which services come in by the gateway, as `FAIRLINE_INGRESS` says it."""

from app.services.errors import StartError
from app.settings import Settings
from streams.gateway import Ingress
from streams.kinds import KINDS
from streams.topics import DAY_MS, Topic


def ingresses_in(settings: Settings) -> dict[str, Ingress]:
    """Return each service by its ingress topic. StartError where a type is not known."""
    found = {}
    for part in settings.ingress.split():
        name, _, listed = part.partition("=")
        types = frozenset(listed.split(","))
        if strange := types - KINDS.keys():
            message = f"FAIRLINE_INGRESS: {', '.join(sorted(strange))} is no type of command"
            raise StartError(message)
        found[f"{settings.topic_prefix}ingress-{name}"] = Ingress(name, types)
    return found


def ingress_topics(settings: Settings) -> list[Topic]:
    """Return the topics that services write, to be made by `fairline migrate`."""
    kept = {"retention.ms": str(settings.retention_days * DAY_MS)}
    return [Topic(name, settings.partitions, kept) for name in ingresses_in(settings)]
