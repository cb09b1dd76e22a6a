"""What the peer's server and its stores tell each other."""

from typing import Protocol

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

BALANCE_MAX = 10_000_000


class Charge(msgspec.Struct, rename="camel"):
    """The body of a charge."""

    user_id: int
    amount: int


class Issue(msgspec.Struct, rename="camel"):
    """The body of a coupon issue."""

    user_id: int
    coupon_code: str


class Refused(Exception):  # noqa: N818  (A refusal is an answer here, not an error.)
    """The request was understood and is refused; the transaction is rolled back."""

    def __init__(self, status: int, code: str) -> None:
        self.status = status
        self.code = code


class Store(Protocol):
    """The database work of a request: one transaction each."""

    engine: AsyncEngine

    async def charge(self, body: Charge) -> int:
        """Hold the wallet, add to it, save the charge; the new balance."""

    async def issue(self, body: Issue) -> int:
        """Find, exists, save, increase; the coupon's number. Its lock is held."""
