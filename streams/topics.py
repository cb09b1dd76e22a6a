"""The registry of every topic: its name, what its key is, and how the broker keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DAY_MS = 86_400_000

# Edges read the topic from its beginning when they start, so it must stay short: a list of a
# partition changes up to three times a second, and what Kafka still writes to is not compacted.
_TOP = {
    "cleanup.policy": "compact",
    "segment.bytes": "1048576",
    "segment.ms": "600000",
    "min.cleanable.dirty.ratio": "0.1",
}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as the broker is asked to make it. `partitions` is fixed at creation."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics of one installation; the prefix lets several share one cluster."""

    user_commands: Topic
    coupon_commands: Topic
    catalog_commands: Topic
    command_results: Topic
    order_events: Topic
    product_sales: Topic
    dead_letters: Topic
    product_top: Topic

    @property
    def commands(self) -> tuple[Topic, Topic, Topic]:
        """The topics that command agents read, one agent each."""
        return (self.user_commands, self.coupon_commands, self.catalog_commands)

    @property
    def all(self) -> tuple[Topic, ...]:
        """Every topic, for whoever creates or checks them."""
        return (
            *self.commands,
            self.command_results,
            self.order_events,
            self.product_sales,
            self.dead_letters,
            self.product_top,
        )


def topics_of(prefix: str, partitions: int, retention_days: int = 7) -> Topics:
    """Name and configure every topic of an installation.

    Commands carry the broker's own time (LogAppendTime): decisions about expiry and validity
    must not depend on a producer's clock. They are kept as long as idempotency keys are.
    """
    kept = {"retention.ms": str(retention_days * DAY_MS)}
    commands = {**kept, "message.timestamp.type": "LogAppendTime"}

    def topic(name: str, config: Mapping[str, str]) -> Topic:
        return Topic(prefix + name, partitions, config)

    return Topics(
        user_commands=topic("user-commands", commands),
        coupon_commands=topic("coupon-commands", commands),
        catalog_commands=topic("catalog-commands", commands),
        # A waiting edge reads results at once; whoever comes later asks the database.
        command_results=topic("command-results", {"retention.ms": str(DAY_MS)}),
        order_events=topic("order-events", kept),
        # The sale's own time places it in an hour of the ranking, so the producer sets it.
        product_sales=topic("product-sales", {**kept, "message.timestamp.type": "CreateTime"}),
        dead_letters=topic("dead-letters", {"retention.ms": str(30 * DAY_MS)}),
        product_top=topic("product-top", _TOP),
    )
