"""A steady stream of commands, and the comparison of what was acknowledged with what is stored."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import NamedTuple
from uuid import UUID

from streams import wire
from streams.records import Place
from tests.client import Listener, Producer, Sent, body_of, eventually
from tests.installation import Installation

USERS = 25
COUPON = wire.DefineCoupon("STEADY", 100_000, 10)
TICK_SECONDS = 0.05


class Said(NamedTuple):
    """A command that was sent, and what it said."""

    sent: Sent
    payload: wire.Shape


class Traffic:
    """Sends charges, coupon issues and repeats of both, in turn, and keeps their history."""

    def __init__(self, producer: Producer, per_second: int) -> None:
        self._producer = producer
        self._per_tick = int(per_second * TICK_SECONDS)
        self._started: list[tuple[asyncio.Task[Sent], wire.Shape]] = []

    async def run(self) -> None:
        """Send until cancelled."""
        numbers = count(1)
        while True:
            for _ in range(self._per_tick):
                await self._send(next(numbers))
            await asyncio.sleep(TICK_SECONDS)

    async def _send(self, number: int) -> None:
        payload: wire.Shape = wire.ChargeBalance(number % USERS + 1, number % 7 + 1)
        if number % 3 == 0:
            payload = wire.IssueCoupon(number, COUPON.coupon_code)
        uuid = None
        if number % 20 == 0:
            # A client that never heard of its acknowledgement sends the same again.
            task, payload = self._started[-10]
            uuid = UUID((await task).command_id)
        self._started.append((await self._producer.start(payload, uuid), payload))

    async def more(self, commands: int) -> None:
        """Wait until so many more commands were sent than until now."""
        wanted = len(self._started) + commands
        await eventually(lambda: len(self._started) >= wanted, f"{wanted} commands")

    async def history(self) -> list[Said]:
        """Wait until the broker has all, and tell what was sent."""
        return [Said(await task, payload) for task, payload in self._started]


@asynccontextmanager
async def flowing(producer: Producer, per_second: int) -> AsyncIterator[Traffic]:
    """Traffic while the block runs."""
    traffic = Traffic(producer, per_second)
    task = asyncio.create_task(traffic.run())
    try:
        yield traffic
    finally:
        task.cancel()
        await asyncio.wait([task])


async def assert_nothing_lost_nothing_doubled(
    installation: Installation, listener: Listener, history: list[Said]
) -> None:
    """Hold a history against the results that were heard and against the database."""
    results = await listener.results_of([said.sent for said in history])
    assert {result.status for result in results} == {200}
    for said in history:
        heard = listener.results_at(said.sent.place)
        assert all(result == heard[0] for result in heard)
    firsts = {said.sent.command_id: said for said in reversed(history)}
    await assert_rows(installation, history, len(firsts))
    await assert_balances(installation, list(firsts.values()))
    await assert_coupons(installation, list(firsts.values()))
    assert_order(listener, history)


async def assert_rows(installation: Installation, history: list[Said], firsts: int) -> None:
    """Each record has one row; each command was applied once, and repeated the other times."""
    rows = await installation.query(
        'SELECT topic, partition, "offset" FROM command_log'
        " WHERE type IN ('ChargeBalance', 'IssueCoupon')"
    )
    assert sorted(Place(*row) for row in rows) == sorted(said.sent.place for said in history)
    counted = await installation.query(
        "SELECT disposition, count(*), count(DISTINCT command_id) FROM command_log"
        " WHERE type IN ('ChargeBalance', 'IssueCoupon') GROUP BY disposition ORDER BY 1"
    )
    repeats = len(history) - firsts
    assert counted == [("APPLIED", firsts, firsts), ("REPEATED", repeats, repeats)]


async def assert_balances(installation: Installation, firsts: list[Said]) -> None:
    """Balances and their entries are the sums of the charges."""
    charged: Counter[int] = Counter()
    for said in firsts:
        if isinstance(said.payload, wire.ChargeBalance):
            charged[said.payload.user_id] += said.payload.amount
    assert dict(await installation.query("SELECT user_id, balance FROM wallets")) == charged
    entries = "SELECT user_id, sum(amount)::bigint FROM balance_entries GROUP BY user_id"
    assert dict(await installation.query(entries)) == charged


async def assert_coupons(installation: Installation, firsts: list[Said]) -> None:
    """Each user who asked has a copy, and the numbers have no gap."""
    users = sorted(s.payload.user_id for s in firsts if isinstance(s.payload, wire.IssueCoupon))
    copies = await installation.query("SELECT number, user_id FROM user_coupons ORDER BY number")
    assert [number for number, _ in copies] == list(range(1, len(users) + 1))
    assert sorted(user_id for _, user_id in copies) == users
    assert await installation.query("SELECT issued FROM coupons") == [(len(users),)]


def assert_order(listener: Listener, history: list[Said]) -> None:
    """A user's balance grew in the order in which the charges stand in the log."""
    balances: Counter[int] = Counter()
    seen: set[str] = set()
    for said in sorted(history, key=lambda said: said.sent.place):
        if isinstance(said.payload, wire.ChargeBalance) and said.sent.command_id not in seen:
            seen.add(said.sent.command_id)
            balances[said.payload.user_id] += said.payload.amount
            told = body_of(listener.results_at(said.sent.place)[0])
            assert told["balance"] == balances[said.payload.user_id]
