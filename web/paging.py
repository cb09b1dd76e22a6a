"""Lists in pages: each ends with a cursor for the next one. Pure but for reading the query.

A cursor holds the key of the last row that was shown, so rows that come or go in between move
nothing: none is shown twice, none is left out. What is in it is nobody's business but ours.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from web.problems import InvalidRequestError

LIMIT_DEFAULT, LIMIT_MAX = 100, 200
PAGE = ("limit", "cursor")
"""The query parameters of a page."""

K = TypeVar("K", bound=tuple[int | str, ...])
T = TypeVar("T")
_encode = msgspec.json.Encoder().encode
_DecodeErrors = (msgspec.DecodeError, binascii.Error, ValueError, RecursionError)


class Page(NamedTuple, Generic[K]):
    """What is asked for: so many rows at most, after the one with this key."""

    limit: int
    after: K | None


class Cursors(Generic[K]):
    """The cursors of one list. A cursor of another list is none of these."""

    def __init__(self, name: str, key: type[K]) -> None:
        self._name = name
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_shape(key))

    def read(self, query: Mapping[str, str], limit: int) -> Page[K]:
        """Read which page a query asks for; raises InvalidRequestError for a strange cursor."""
        text = query.get("cursor")
        return Page(limit, None if text is None else self._key(text))

    def write(self, key: K) -> str:
        """Write the cursor of the page after the row with this key."""
        return urlsafe_b64encode(_encode((self._name, key))).rstrip(b"=").decode()

    def _key(self, text: str) -> K:
        try:
            name, key = self._decoder.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except _DecodeErrors:
            raise _strange() from None
        if name != self._name or any(_is_too_big(part) for part in key):
            raise _strange()
        found: K = key
        return found


def _shape(key: Any) -> Any:
    return tuple[str, key]


def _strange() -> InvalidRequestError:
    return InvalidRequestError(("cursor", "Expected the `next` of a page of this list"))


def _is_too_big(part: int | str) -> bool:
    # The database refuses such numbers, and NUL in a text.
    return "\0" in part if isinstance(part, str) else not -(2**63) <= part < 2**63


def split(found: Sequence[T], limit: int) -> tuple[list[T], T | None]:
    """Split what was found, one more than asked for, into a page and its last row.

    The last row is None where no page follows.
    """
    page = list(found[:limit])
    return page, page[-1] if len(found) > limit else None
