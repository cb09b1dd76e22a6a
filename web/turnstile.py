"""Lets requests in a few at a time, so that what is in hand goes on while a crowd comes.

An event loop reads from all sockets that have something before it does anything else. Where
thousands come at once, a turn of the loop takes as long as all of them; and a command needs some
turns until its outcome is back from Kafka. So only some are let in at each turn. Those who come
meanwhile are told when to come back, where that is so, or wait here in the order in which they
came.
"""

import asyncio
from collections import deque
from typing import Protocol

# A turn with so many new requests takes some milliseconds.
LET_IN_MAX = 32


class Visitor(Protocol):
    """A connection on which something has come."""

    def refuse(self, data: bytes, waiting: int) -> bool:
        """Refuse what came, if it would wait too long behind so many others."""

    def take(self, data: bytes) -> None:
        """Take in what came."""


class Turnstile:
    """What waits to be let in, of all connections of one server."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Visitor, bytes]] = deque()
        # At this turn; as long as it is not 0, another turn comes.
        self._let_in = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, visitor: Visitor, data: bytes) -> None:
        """Let in what came, at once or when it is its turn, or refuse it.

        Somebody waits only while this turn is full, so nobody comes before who came first.
        """
        if self._let_in < LET_IN_MAX:
            if not self._let_in:
                self._turn_soon()
            self._let_in += 1
            visitor.take(data)
        elif not visitor.refuse(data, len(self._waiting)):
            self._waiting.append((visitor, data))

    def _turn_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._let_in = min(LET_IN_MAX, len(self._waiting))
        if self._let_in:
            self._turn_soon()
        for _ in range(self._let_in):
            visitor, data = self._waiting.popleft()
            visitor.take(data)
