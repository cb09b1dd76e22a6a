"""The topics as AsyncAPI 3: made from the registry of topics and the published JSON Schemas."""

from importlib.metadata import version
from typing import Any

from streams.codec import REQUEST_TOKEN, RESULTS_PARTITION
from streams.kinds import KINDS
from streams.schemas import TOPIC_TO_KEY_FIELD, schemas
from streams.topics import Topics

Schema = dict[str, Any]

_INFO: Schema = {
    "title": "Fairline",
    "license": {"name": "Apache-2.0"},
    "description": "Commands are appended to Kafka by edges or by any service, each to the topic "
    "of its type, with its key. Outcomes and events come back on topics too. A command's time is "
    "the broker's. How to begin: docs/kafka.md.",
}
_OTHER_TOPICS = {
    "command_results": "The outcome of each record of a command topic. Keyed as the command was.",
    "order_events": "What has happened to orders. Keyed by userId.",
    "product_sales": "What was sold, and what was taken back. Keyed by productId.",
    "dead_letters": "Records that could not be applied, byte for byte. Keyed as the record was.",
}
_HEADERS: Schema = {
    "type": "object",
    "properties": {
        REQUEST_TOKEN: {
            "type": "string",
            "description": "Comes back in the result, to tell it from those of other senders.",
        },
        RESULTS_PARTITION: {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "The partition of the results that the sender reads; without it the "
            "key decides.",
        },
    },
}


def asyncapi(topics: Topics) -> Schema:
    """Describe every public topic, by the names that an installation gives them."""
    listed = {name: _hoisted(schema) for name, schema in schemas().items()}
    channels = {
        camel: channel
        for role in (*TOPIC_TO_KEY_FIELD, *_OTHER_TOPICS)
        for camel, channel in [_channel(role, topics, listed)]
    }
    return {
        "asyncapi": "3.0.0",
        "info": {**_INFO, "version": version("fairline")},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {name: _operation(name, channel) for name, channel in channels.items()},
        "components": {"schemas": _definitions(listed)},
    }


def _channel(role: str, topics: Topics, listed: dict[str, Schema]) -> tuple[str, Schema]:
    address = getattr(topics, role).name
    first, *others = role.split("_")
    said = _OTHER_TOPICS.get(role) or f"Commands, keyed by {TOPIC_TO_KEY_FIELD[role]}."
    messages = _messages(role, listed)
    described = {"address": address, "description": said, "messages": messages}
    return "".join([first, *map(str.title, others)]), described


def _messages(role: str, listed: dict[str, Schema]) -> Schema:
    if role in TOPIC_TO_KEY_FIELD:
        ours = {kind.name for kind in KINDS.values() if kind.topic == role}
        payloads = [each for each in listed["commands.json"]["oneOf"] if each["title"] in ours]
        return {each["title"]: {**_message(each), "headers": _HEADERS} for each in payloads}
    schema = listed[f"{role.replace('_', '-')}.json"]
    return {each["title"]: _message(each) for each in schema.get("oneOf", [schema])}


def _message(payload: Schema) -> Schema:
    payload = {key: value for key, value in payload.items() if key not in ("$schema", "$defs")}
    key = {"kafka": {"key": {"type": "string"}}}
    return {"name": payload["title"], "payload": payload, "bindings": key}


def _operation(name: str, channel: Schema) -> Schema:
    """Tell who sends: commands are taken in, all else is given out."""
    action = "receive" if name.endswith("Commands") else "send"
    return {"action": action, "channel": {"$ref": f"#/channels/{name}"}}


def _definitions(listed: dict[str, Schema]) -> Schema:
    found: Schema = {}
    for schema in listed.values():
        found |= schema.get("$defs", {})
    return dict(sorted(found.items()))


def _hoisted(value: Any) -> Any:
    """Let references lead to the components of the one document."""
    if isinstance(value, dict):
        return {name: _hoisted(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_hoisted(inner) for inner in value]
    if isinstance(value, str) and value.startswith("#/$defs/"):
        return value.replace("#/$defs/", "#/components/schemas/")
    return value
