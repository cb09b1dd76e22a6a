"""Kafka's access lists for an installation: what each of its processes and services may do there.

One table, for `fairline kafka acls`, for the documents, and for the tests that apply it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from app.ingress import ingresses_in
from app.settings import Settings
from app.topics import topics_in

READ, WRITE, DESCRIBE, ALL, CREATE = "Read", "Write", "Describe", "All", "Create"
TOPIC, GROUP, CLUSTER = "topic", "group", "cluster"


class Rule(NamedTuple):
    """A role may do this with a resource; one with `is_prefix` is all whose names begin so."""

    role: str
    operation: str
    kind: str
    name: str
    is_prefix: bool = False


def rules_of(settings: Settings) -> Iterator[Rule]:
    """List every rule; who is not in it may do nothing. A service's role is its name."""
    prefix, topics = settings.topic_prefix, topics_in(settings)
    commands = [topic.name for topic in topics.commands]
    results, letters = topics.command_results.name, topics.dead_letters.name
    sales, top = topics.product_sales.name, topics.product_top.name
    # Whoever writes a topic, or asks for its end, also describes it.
    yield from _each("edge", WRITE, commands)
    yield from _each("edge", READ, [results, top])
    yield from _each("worker", READ, commands)
    yield from _each("worker", WRITE, [results, topics.order_events.name, sales, letters])
    yield Rule("worker", READ, GROUP, f"{prefix}fairline-commands")
    yield from _each("ranking", READ, [sales, top])
    yield from _each("ranking", WRITE, [top, letters])
    yield from _each("ranking", DESCRIBE, [topics.user_commands.name])
    yield Rule("ranking", ALL, TOPIC, f"{prefix}fairline-ranking", is_prefix=True)
    yield Rule("ranking", READ, GROUP, f"{prefix}fairline-ranking")
    yield from _each("gateway", WRITE, [*commands, results, letters])
    yield Rule("gateway", READ, GROUP, f"{prefix}fairline-gateway")
    for topic, ingress in ingresses_in(settings).items():
        yield Rule("gateway", READ, TOPIC, topic)
        yield Rule(ingress.name, WRITE, TOPIC, topic)
    yield from (
        Rule("operator", ALL, kind, prefix or "*", bool(prefix)) for kind in (TOPIC, GROUP)
    )
    yield Rule("operator", ALL, CLUSTER, "kafka-cluster")


def _each(role: str, operation: str, topics: list[str]) -> Iterator[Rule]:
    return (Rule(role, operation, TOPIC, name) for name in topics)


def command_of(rule: Rule) -> str:
    """Write a rule as Kafka's own tool takes it; `User:` is followed by the role's user."""
    pattern = " --resource-pattern-type prefixed" if rule.is_prefix else ""
    resource = "--cluster" if rule.kind == CLUSTER else f"--{rule.kind} '{rule.name}'"
    who = f"--allow-principal User:{rule.role}"
    return f"kafka-acls.sh --add {who} --operation {rule.operation} {resource}{pattern}"
