"""What a field on the wire may hold: the types that the shapes are made of."""

from typing import Annotated

from msgspec import Meta

from domain.catalog import PRICE_MAX, STOCK_MAX
from domain.principals import INT64_MAX

# A dollar sign would let a newline follow in Python's expressions, but not in ECMAScript's.
END_OF_TEXT = r"(?![\s\S])"

Id = Annotated[int, Meta(ge=1, le=INT64_MAX)]
Amount = Annotated[int, Meta(ge=1, le=INT64_MAX, description="Whole won.")]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}" + END_OF_TEXT, max_length=64)]
_LINE = r"^[^\u0000-\u001f\u007f]{1,200}" + END_OF_TEXT
Name = Annotated[str, Meta(pattern=_LINE, max_length=200)]
# Left out it is not in the canonical payload: a fingerprint of before it was known stays so.
Why = Annotated[
    str,
    Meta(pattern=_LINE, max_length=200, description="For the list of admin actions."),
]
Quantity = Annotated[int, Meta(ge=1, le=10_000)]
Price = Annotated[int, Meta(ge=0, le=PRICE_MAX, description="Whole won.")]
Pieces = Annotated[int, Meta(ge=0, le=STOCK_MAX)]
