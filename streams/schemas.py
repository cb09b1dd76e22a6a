"""Writes the JSON Schemas of the public topics: `python -m streams.schemas docs/schemas`.

They are generated from the shapes that encode and decode, so they cannot say anything else.
"""

import inspect
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from streams import wire, wire_events
from streams.kinds import KINDS, Kind
from streams.topics import topics_of

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TOPIC_TO_KEY_FIELD = {
    "user_commands": "userId",
    "coupon_commands": "couponCode",
    "catalog_commands": "productId",
}
_ORDER_EVENTS = (wire_events.OrderPaid, wire_events.OrderCancelled)
_PRODUCT_SALES = (wire_events.SaleRecorded, wire_events.RankingRebuildRequested)
_BODIES = (
    wire.ChargedBalance,
    wire.CreditedBalance,
    wire.IssuedCoupon,
    wire.Order,
    wire.Payment,
    wire.Cancellation,
    wire.Product,
    wire.Coupon,
    wire.PausedCoupon,
    wire.Problem,
)
_REF = "#/$defs/{name}"


def schemas() -> dict[str, Schema]:
    """Return every schema by the name of its file."""
    return {
        "commands.json": _commands(),
        "command-results.json": _results(),
        "order-events.json": _events("OrderEvent", *_ORDER_EVENTS),
        "product-sales.json": _events("ProductSale", *_PRODUCT_SALES),
        "dead-letters.json": _published(wire.DeadLetter),
    }


def write_schemas(folder: Path) -> None:
    """Write every schema into a folder, the same bytes each time."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / name).write_text(json.dumps(schema, indent=2) + "\n")


def _commands() -> Schema:
    shapes = [kind.shape for kind in KINDS.values()]
    components = components_of([*shapes, wire.Envelope])
    envelope = components.pop("Envelope")
    return {
        "$schema": DIALECT,
        "title": "Command",
        "description": "A record's value on one of the command topics; each type has its own "
        "topic and key. The key is that field of the payload, as UTF-8 text. "
        + envelope["description"],
        "oneOf": [_enveloped(kind, envelope) for kind in KINDS.values()],
        "$defs": components,
    }


def _enveloped(kind: Kind, envelope: Schema) -> Schema:
    """Narrow the envelope down to one type of command."""
    topic = getattr(topics_of("", 1), kind.topic).name
    said = {"type": {"const": kind.name}, "payload": {"$ref": _REF.format(name=kind.name)}}
    return {
        **envelope,
        "title": kind.name,
        "description": f"On topic `{topic}`, with `{TOPIC_TO_KEY_FIELD[kind.topic]}` as key.",
        "properties": {**envelope["properties"], **said},
    }


def _results() -> Schema:
    schema = _published(wire.CommandResult)
    bodies = opened(components_of(_BODIES))
    schema["properties"]["body"] = {"anyOf": [{"$ref": _REF.format(name=n)} for n in _names()]}
    schema["$defs"] = bodies
    return schema


def _names() -> list[str]:
    return [shape.__name__ for shape in _BODIES]


def _event(shape: type[wire.Shape]) -> Schema:
    schema = _published(shape)
    schema["properties"]["type"] = {"const": shape.__name__}
    return schema


def _events(title: str, *shapes: type[wire.Shape]) -> Schema:
    """Describe the topic of several events; each record's `type` tells which one it is."""
    listed = [_event(shape) for shape in shapes]
    components: Schema = {}
    for schema in listed:
        schema.pop("$schema")
        components |= schema.pop("$defs", {})
    return {"$schema": DIALECT, "title": title, "oneOf": listed, "$defs": components}


def _published(shape: type[wire.Shape]) -> Schema:
    components = opened(components_of([shape]))
    schema = {"$schema": DIALECT, **components.pop(shape.__name__)}
    return {**schema, "$defs": components} if components else schema


def opened(components: dict[str, Schema]) -> dict[str, Schema]:
    """Let a reader pass over fields that a later version may add to what is published."""
    closed = "additionalProperties"
    return {
        name: {key: value for key, value in schema.items() if key != closed}
        for name, schema in components.items()
    }


def components_of(shapes: Iterable[type[wire.Shape]], ref: str = _REF) -> dict[str, Schema]:
    """Describe shapes, and all that they refer to, by name."""
    _, components = msgspec.json.schema_components(shapes, ref_template=ref)
    for schema in components.values():
        # Later lines of a docstring come with the indentation of the source.
        schema["description"] = " ".join(inspect.cleandoc(schema["description"]).split())
    return components


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
