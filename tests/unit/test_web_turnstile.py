"""A crowd is let in a few at a time, in the order in which it came."""

import asyncio
from dataclasses import dataclass, field

from web.turnstile import LET_IN_MAX, Turnstile


@dataclass
class Visitor:
    """Somebody who notes when he was let in, and with how many before him he was refused."""

    taken: list[bytes]
    is_refused: bool = False
    asked: list[int] = field(default_factory=list)

    def refuse(self, _data: bytes, waiting: int) -> bool:
        self.asked.append(waiting)
        return self.is_refused

    def take(self, data: bytes) -> None:
        self.taken.append(data)


def numbered(first: int, end: int) -> list[bytes]:
    return [str(number).encode() for number in range(first, end)]


async def test_a_crowd_is_let_in_some_at_each_turn_in_its_order() -> None:
    turnstile, taken = Turnstile(), list[bytes]()
    everybody = numbered(0, 3 * LET_IN_MAX + 1)
    for data in everybody:
        turnstile.enter(Visitor(taken), data)
    found = [len(taken)]
    for _ in range(3):
        await asyncio.sleep(0)
        found.append(len(taken))
    assert found == [LET_IN_MAX, 2 * LET_IN_MAX, 3 * LET_IN_MAX, 3 * LET_IN_MAX + 1]
    assert taken == everybody


async def test_who_comes_while_others_wait_comes_after_them() -> None:
    turnstile, taken = Turnstile(), list[bytes]()
    for data in numbered(0, 2 * LET_IN_MAX):
        turnstile.enter(Visitor(taken), data)
    await asyncio.sleep(0)
    assert len(turnstile) == 0
    late = Visitor(taken)
    # All of this turn are in.
    turnstile.enter(late, b"late")
    assert (late.asked, taken[-1]) == ([0], b"%d" % (2 * LET_IN_MAX - 1))
    await asyncio.sleep(0)
    assert taken[-1] == b"late"


async def test_who_is_refused_does_not_wait() -> None:
    turnstile, taken = Turnstile(), list[bytes]()
    for data in numbered(0, LET_IN_MAX + 2):
        turnstile.enter(Visitor(taken), data)
    refused, patient = Visitor(taken, is_refused=True), Visitor(taken)
    turnstile.enter(refused, b"refused")
    turnstile.enter(patient, b"patient")
    assert (refused.asked, patient.asked, len(turnstile)) == ([2], [2], 3)
    await asyncio.sleep(0)
    assert b"refused" not in taken
    assert taken[-1] == b"patient"


async def test_a_turn_without_a_crowd_lets_in_at_once_and_then_rests() -> None:
    turnstile, taken = Turnstile(), list[bytes]()
    for data in numbered(0, 3 * LET_IN_MAX):
        visitor = Visitor(taken)
        turnstile.enter(visitor, data)
        assert (visitor.asked, taken[-1]) == ([], data)
        await asyncio.sleep(0)
