"""Finds every field of a JSON value that is wrong, by its path on the wire."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import msgspec

from streams import wire

# How the shapes' patterns say "the end", as the decoder shows it.
_END_OF_TEXT = r"(?![\\s\\S])"

FieldError = tuple[str, str]
"""A path such as `items[0].quantity`, and what was expected there."""


def find_field_errors(shape: type[wire.Shape], value: Any, path: str = "") -> list[FieldError]:
    """Find what keeps a decoded JSON value from being of this shape; nothing if it is."""
    return list(_object_errors(shape, value, path))


def _object_errors(shape: type[wire.Shape], value: Any, path: str) -> Iterator[FieldError]:
    if not isinstance(value, dict):
        yield path or "body", "Expected an object"
        return
    prefix = f"{path}." if path else ""
    fields = msgspec.structs.fields(shape)
    for field in fields:
        name = field.encode_name
        if name in value:
            yield from _value_errors(field.type, value[name], prefix + name)
        elif field.required:
            yield prefix + name, "Required"
    for name in value.keys() - {field.encode_name for field in fields}:
        yield prefix + name, "Unknown field"


def _value_errors(kind: Any, value: Any, path: str) -> Iterator[FieldError]:
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, ValueError) as error:
        inner = list(_item_errors(kind, value, path))
        yield from inner or [(path, readable(error))]


def _item_errors(kind: Any, value: Any, path: str) -> Iterator[FieldError]:
    item = _shape_of_items(kind)
    if item is not None and isinstance(value, list):
        for index, element in enumerate(value):
            yield from _object_errors(item, element, f"{path}[{index}]")


def _shape_of_items(kind: Any) -> type[wire.Shape] | None:
    """Return the shape that a list field's items have; None where it is no list of shapes."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    items = get_args(kind) if get_origin(kind) is list else ()
    return items[0] if items and issubclass(items[0], wire.Shape) else None


def readable(error: Exception) -> str:
    """Say an error of the decoder without its path and without its dialect of patterns."""
    text = str(error).partition(" - at `$")[0]
    return text.replace(_END_OF_TEXT, "$").replace("`", "")
