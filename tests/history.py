"""A shop with a past: every kind of command and outcome, applied by the real batch."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from storage.engine import Database
from storage.marks import LogEpoch, Mark, insert_log_epoch, insert_marks
from streams.applying import PersistentApplier
from streams.batch import BatchApplier
from streams.codec import CommandReader
from streams.decisions import Rulebook
from streams.health import WorkerHealth
from tests.stateful.log_in_memory import TOPICS, LogInMemory, Sent

BALANCE_MAX = 100_000
EXPIRY_MS = 60_000
RULEBOOK = Rulebook(TOPICS, 1, BALANCE_MAX, EXPIRY_MS)
USERS = range(1, 9)


@dataclass
class History:
    """Sends commands to a log and lets one worker apply them, batch by batch."""

    database: Database
    log: LogInMemory = field(default_factory=LogInMemory)
    chance: random.Random = field(default_factory=lambda: random.Random(5))
    orders: list[tuple[int, str]] = field(default_factory=list)
    coupon_ids: list[str] = field(default_factory=list)
    _applied: int = 0

    async def begin(self) -> None:
        """Set the marks of a log that nobody has read, and define the shop."""
        async with self.database.begin() as connection:
            await insert_marks(connection, _marks())
            await insert_log_epoch(connection, LogEpoch(1, "in-memory", self.log.now_ms))
        for number, stock in ((1, 60), (2, 5), (3, 0)):
            self.send(
                "DefineProduct", productId=number, name=f"Tea {number}", price=700, stock=stock
            )
        for code, total, off in (("RUSH", 3, 700), ("EVER", 50, 300)):
            sent = self.send("DefineCoupon", couponCode=code, total=total, discountAmount=off)
            self.coupon_ids.append(id_of(sent))
        await self.apply()

    def send(self, kind: str, principal: str | None = None, **payload: Any) -> Sent:
        """Append a command with an id of its own."""
        number = str(UUID(int=len(self.log.sent) + 1))
        envelope = {"commandId": number, "type": kind, "payload": payload}
        return self.log.append({**envelope, **({"principal": principal} if principal else {})})

    async def apply(self, *, together: bool = False) -> None:
        """Apply what was sent since the last time, in a batch for each topic, perhaps together."""
        records = [sent.record for sent in self.log.sent.values()][self._applied :]
        self._applied += len(records)
        applier = PersistentApplier(
            BatchApplier(self.database, CommandReader(TOPICS), RULEBOOK),
            self.log,
            WorkerHealth(),
            retry_seconds_max=30,
        )
        batches = [
            batch
            for topic in TOPICS.commands
            if (batch := [record for record in records if record.place.topic == topic.name])
        ]
        if together:
            await asyncio.gather(*map(applier.apply, batches))
        else:
            for batch in batches:
                await applier.apply(batch)

    async def live(self, batches: int, *, together: bool = False) -> None:
        """Let customers come and go."""
        for _ in range(batches):
            for _ in range(self.chance.randrange(1, 20)):
                self._do_something()
            self.log.now_ms += self.chance.choice((0, 1, 500, EXPIRY_MS // 4))
            await self.apply(together=together)

    def _do_something(self) -> None:
        user = self.chance.choice(USERS)
        doings = (self._charge, self._issue, self._order, self._order, self._pay, self._pay)
        rarer = (self._cancel, self._manage, self._repeat, self._repeat, self._spoil)
        self.chance.choice((*doings, *rarer))(user)

    def _charge(self, user: int) -> None:
        self.send("ChargeBalance", userId=user, amount=self.chance.choice((500, 5_000, 90_000)))

    def _issue(self, user: int) -> None:
        code = self.chance.choice(("RUSH", "EVER", "NONE"))
        self.send("IssueCoupon", userId=user, couponCode=code)

    def _order(self, user: int) -> None:
        items = [
            {"productId": self.chance.choice((1, 1, 2, 3, 9)), "quantity": quantity}
            for quantity in self.chance.choice(((1,), (2, 1)))
        ]
        named = {"couponId": self.chance.choice(self.coupon_ids)} if user % 2 else {}
        sent = self.send("CreateOrder", userId=user, items=items, **named)
        self.orders.append((user, id_of(sent)))

    def _pay(self, user: int) -> None:
        user, order_id = self.chance.choice([*self.orders[-8:], (user, "nothing")])
        self.send("PayOrder", userId=user, orderId=order_id)

    def _cancel(self, user: int) -> None:
        user, order_id = self.chance.choice([*self.orders[-8:], (user, "nothing")])
        self.send("CancelOrder", userId=user, orderId=order_id)

    def _manage(self, _user: int) -> None:
        product = self.chance.choice((1, 2, 3, 9))
        self.send("RestockProduct", productId=product, quantity=2)
        price = self.chance.choice((650, 700))
        self.send("DefineProduct", productId=2, name="Cup", price=price, stock=77)
        total = self.chance.choice((1, 3, 4, 5))
        self.send("DefineCoupon", couponCode="RUSH", total=total, discountAmount=700)

    def _repeat(self, user: int) -> None:
        earlier = self.chance.choice([s for s in self.log.sent.values() if s.envelope])
        assert earlier.envelope is not None
        payload = {"userId": user, "amount": 1}
        conflict = {**earlier.envelope, "type": "ChargeBalance", "payload": payload}
        self.log.append(self.chance.choice((earlier.envelope, earlier.envelope, conflict)))

    def _spoil(self, _user: int) -> None:
        self.log.append_bad(TOPICS.user_commands.name, 0, (b"1", b"{"))


def _marks() -> Iterator[Mark]:
    for topic in TOPICS.commands:
        yield from (Mark(topic.name, number, 1, 0, 0) for number in range(topic.partitions))


def id_of(sent: Sent) -> str:
    assert sent.envelope is not None
    return str(sent.envelope["commandId"])


async def execute(connection: AsyncConnection, *statements: str) -> None:
    """Do to the database what nobody should."""
    for statement in statements:
        changed = await connection.exec_driver_sql(statement)
        assert changed.rowcount != 0, f"nothing was changed by {statement}"
