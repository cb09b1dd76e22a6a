"""The HTTP API as OpenAPI 3.1: made from routes, handlers, shapes and error codes."""

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from streams import wire
from streams.schemas import components_of, opened
from web.access import Access, access_to
from web.error_codes import ERROR_CODES
from web.operations import JSON, OPERATIONS, Handler, Operation, Parameter, Schema
from web.problems import PROBLEM_JSON

_REF = "#/components/schemas/{name}"
_OF_ALL = (
    "HEAD_TOO_LARGE",
    "INVALID_REQUEST",
    "INTERNAL_ERROR",
    "RATE_LIMITED",
    "TOO_MANY_IN_FLIGHT",
    "UNAVAILABLE",
)
_OF_COMMANDS = (
    "UNSUPPORTED_MEDIA_TYPE",
    "BODY_TOO_LARGE",
    "DEAD_LETTER",
    "IDEMPOTENCY_KEY_REUSED",
    "TOO_MANY_WAITING",
    "OUTCOME_UNKNOWN",
    "REQUEST_TIMEOUT",
)
_KEY = Parameter(
    "header",
    "Idempotency-Key",
    str,
    "Names this request of this user. With the same key the first answer comes again, and nothing "
    "is done twice.",
    is_required=False,
    schema={"minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
)
_PREFER = Parameter(
    "header",
    "Prefer",
    str,
    "`wait=n`: wait n seconds at most for the outcome. `respond-async`: answer 202 as soon as the "
    "command is in the log for good. See RFC 7240.",
    is_required=False,
)
_APPLIED: Schema = {
    "description": "What of `Prefer` was heeded.",
    "schema": {"type": "string"},
}
_COMMAND_ID: Schema = {
    "description": "The command's id: what became of it is at `/api/v1/commands/{commandId}`.",
    "schema": {"type": "string", "format": "uuid"},
}
_REPLAYED: Schema = {
    "description": "`true` where the command was known, and this is its first outcome.",
    "schema": {"const": "true"},
}
_LOCATION: Schema = {
    "description": "Where the outcome can be asked for.",
    "schema": {"type": "string", "format": "uri-reference"},
}
_RETRY_AFTER: Schema = {
    "description": "Seconds after which it is worth trying again.",
    "schema": {"type": "integer", "minimum": 1},
}
_OF_TOKENS = {
    Access.PUBLIC: (),
    Access.USER: ("UNAUTHENTICATED", "NOT_YOUR_USER"),
    Access.ADMIN: ("UNAUTHENTICATED", "INSUFFICIENT_SCOPE"),
}
_CHALLENGE: Schema = {
    "description": "What kind of token is asked for, and what is wrong with the one that came.",
    "schema": {"type": "string"},
}
_TOKEN: Schema = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "The token's `sub` is the user; its `scope` opens the admin routes.",
}
_FIELD_ERRORS: Schema = {
    "description": "With `INVALID_REQUEST`: every field that is wrong.",
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
        "required": ["field", "message"],
    },
}
_INFO: Schema = {
    "title": "Fairline",
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "description": "Wallets, first-come-first-served coupons, orders and best sellers. Every "
    "write is a command in a log: it is answered with its outcome, or with 202 and a place to ask "
    "for it. Amounts are whole won, times are UTC. Errors are problems of RFC 9457 with a stable "
    "`code`.",
}


class Described(NamedTuple):
    """A route as it is described: its method, its path and its handler."""

    method: str
    path: str
    handler: Any


def openapi(routes: Iterable[Described], *, asks_tokens: bool = True) -> Schema:
    """Describe every route whose handler is an operation; of an edge without tokens, if told."""
    paths: dict[str, Schema] = {}
    for route in routes:
        if operation := OPERATIONS.get(route.handler):
            described = _operation(route.handler, operation, asks_tokens=asks_tokens)
            paths.setdefault(route.path, {})[route.method.lower()] = described
    schemes = {"securitySchemes": {"token": _TOKEN}} if asks_tokens else {}
    return {
        "openapi": "3.1.0",
        "info": {**_INFO, "version": version("fairline")},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": _schemas(OPERATIONS.values()), **schemes},
    }


def _operation(handler: Handler, operation: Operation, *, asks_tokens: bool) -> Schema:
    summary, _, more = inspect.cleandoc(handler.__doc__ or "").partition("\n\n")
    described: Schema = {
        "operationId": camel_case(handler.__name__),
        "tags": [operation.tag],
        "summary": " ".join(summary.split()),
        "responses": _responses(operation, codes_of(handler, asks_tokens=asks_tokens)),
    }
    if asks_tokens:
        is_public = access_to(handler) is Access.PUBLIC
        described["security"] = [] if is_public else [{"token": []}]
    if more:
        described["description"] = more
    keyed = (_KEY, _PREFER) if operation.body else ()
    if parameters := [_parameter(each) for each in (*operation.parameters, *keyed)]:
        described["parameters"] = parameters
    if operation.body is not None:
        content = {"schema": _ref(operation.body), "example": operation.example}
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    return described


def _parameter(parameter: Parameter) -> Schema:
    kind, _ = msgspec.json.schema_components([parameter.kind], ref_template=_REF)
    described = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.is_required,
        "description": parameter.description,
        "schema": {**kind[0], **parameter.schema},
    }
    return described if parameter.example is None else {**described, "example": parameter.example}


def _responses(operation: Operation, codes: Iterable[str]) -> Schema:
    schema = operation.answer if isinstance(operation.answer, dict) else _ref(operation.answer)
    done: Schema = {"description": "Done.", "content": {operation.kind: {"schema": schema}}}
    if operation.is_health:
        return {"200": done, "503": {**done, "description": "A check fails."}}
    responses = {"200": done}
    if operation.body is not None:
        done["headers"] = {
            "Command-Id": _COMMAND_ID,
            "Idempotent-Replayed": _REPLAYED,
            "Preference-Applied": _APPLIED,
        }
        responses["202"] = {
            "description": "In the log for good; its outcome is not known yet.",
            "headers": {
                "Command-Id": _COMMAND_ID,
                "Location": _LOCATION,
                "Preference-Applied": _APPLIED,
            },
            "content": {JSON: {"schema": {"$ref": _REF.format(name="Accepted")}}},
        }
    return responses | dict(_problems(codes))


def codes_of(handler: Handler, *, asks_tokens: bool = True) -> Sequence[str]:
    """List every code that an operation can answer with, where tokens are asked for or not."""
    operation = OPERATIONS[handler]
    if operation.is_health:
        return ()
    of_tokens = _OF_TOKENS[access_to(handler)] if asks_tokens else ()
    # A value that does not fit into a path leads nowhere.
    is_in_path = any(parameter.place == "path" for parameter in operation.parameters)
    own = (*(("NOT_FOUND",) if is_in_path else ()), *operation.codes)
    return (*_OF_ALL, *(_OF_COMMANDS if operation.body else ()), *of_tokens, *own)


def _problems(codes: Iterable[str]) -> Iterator[tuple[str, Schema]]:
    listed = sorted((ERROR_CODES[code].status, code) for code in codes)
    for status, group in groupby(listed, key=lambda pair: pair[0]):
        names = [code for _, code in group]
        said = [f"`{name}`: {ERROR_CODES[name].meaning}" for name in names]
        narrowed = {"properties": {"code": {"enum": names}}}
        schema = {"allOf": [{"$ref": _REF.format(name="Problem")}, narrowed]}
        described: Schema = {
            "description": "\n\n".join(said),
            "content": {PROBLEM_JSON: {"schema": schema}},
        }
        if status == 401:
            described["headers"] = {"WWW-Authenticate": _CHALLENGE}
        if status in (429, 503):
            described["headers"] = {"Retry-After": _RETRY_AFTER}
        yield str(status), described


def _schemas(operations: Iterable[Operation]) -> dict[str, Schema]:
    listed = list(operations)
    asked = [each.body for each in listed if each.body is not None]
    answered = [each.answer for each in listed if not isinstance(each.answer, dict)]
    schemas = components_of(asked, _REF) | opened(components_of([*answered, wire.Problem], _REF))
    schemas["Problem"]["properties"]["errors"] = _FIELD_ERRORS
    schemas["Accepted"] = {
        "type": "object",
        "properties": {"commandId": {"type": "string"}, "state": {"const": "PENDING"}},
        "required": ["commandId", "state"],
    }
    return dict(sorted(schemas.items()))


def _ref(shape: type[wire.Shape]) -> dict[str, Any]:
    return {"$ref": _REF.format(name=shape.__name__)}


def camel_case(name: str) -> str:
    """Turn a Python name into one of the wire."""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)
