"""The rules of the state machine: one per command, and what a log does with commands.

Subclasses say how records are applied; what must come of them is the model's word.
"""

import json
from abc import abstractmethod
from collections import Counter
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, rule

from storage.command_log import LogRow
from streams.outbox import decode_outbox
from streams.records import Place, Record
from tests.stateful.log_in_memory import TOPICS, LogInMemory, Sent
from tests.stateful.model import STOCK_MAX, Model

BALANCE_MAX = 10_000
EXPIRY_MS = 1_000

users = st.integers(1, 3)
products = st.sampled_from([1, 1, 1, 2, 2, 9])
codes = st.sampled_from(["RUSH", "RUSH", "EVER", "NONE"])
amounts = st.sampled_from([1, 700, 5_000, 9_999, 10_000, 2**63 - 1])
quantities = st.sampled_from([1, 1, 2, 3, 10_000])
topics = st.sampled_from([topic.name for topic in TOPICS.commands])
partitions = st.integers(0, 1)
counts = st.integers(1, 12)
purses = st.sampled_from([699, 700, 1_400])
pauses = st.sampled_from([None, 0, EXPIRY_MS - 1, EXPIRY_MS])
moments = st.none() | st.sampled_from([-1, 0, 1, 999, 5_000])
junk = st.sampled_from([None, b"", b"{", b"\x00", b"[]", b'{"type":"ChargeBalance"}', b"\xff\xfe"])

sent = Bundle("sent")
placed = Bundle("placed")
defined = Bundle("defined")


class CommandMachine(RuleBasedStateMachine):
    """Appends to a log; applies records, sometimes again; compares every reply."""

    seen: ClassVar[Counter[str]]

    def __init__(self) -> None:
        super().__init__()
        self.log = LogInMemory()
        self.model = Model(BALANCE_MAX, EXPIRY_MS)
        self.rows: dict[Place, LogRow] = {}
        self.clocks: dict[tuple[str, int], int] = {}
        self.sold: Counter[tuple[int, int]] = Counter()

    @abstractmethod
    def apply(self, records: list[Record]) -> list[LogRow]:
        """Apply records of one topic and return the rows to publish, in order."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What the system holds, in the words of `Model.facts`."""

    # The commands: small ranges, so that valid and refused ones are about as frequent.

    @initialize(target=defined)
    def open_shop(self) -> Sent:
        for number, stock in ((1, 5), (2, 10**12)):
            self._send("DefineProduct", productId=number, name="Tea", price=700, stock=stock)
        coupon = self._send("DefineCoupon", couponCode="EVER", total=2, discountAmount=300)
        for topic in TOPICS.commands:
            self.deliver(topic.name, 12)
        return coupon

    @rule(target=sent, user=users, amount=amounts)
    def charge(self, user: int, amount: int) -> Sent:
        return self._send("ChargeBalance", userId=user, amount=amount)

    @rule(target=sent, user=users, amount=amounts)
    def credit(self, user: int, amount: int) -> Sent:
        return self._send("CreditBalance", userId=user, amount=amount, reason="sorry")

    @rule(target=sent, user=users, code=codes)
    def pause_for_one(self, user: int, code: str) -> Sent:
        """Somebody comes while it is paused; for long it would be in every other rule's way."""
        for paused in (True, False):
            pause = {"couponCode": code, "reason": "full", "paused": paused}
            last = self._send("PauseCoupon", **pause)
            if paused:
                self._send("IssueCoupon", userId=user, couponCode=code)
        return last

    @rule(target=sent, user=users, code=codes)
    def issue_coupon(self, user: int, code: str) -> Sent:
        return self._send("IssueCoupon", userId=user, couponCode=code)

    @rule(
        targets=(sent, placed),
        user=users,
        items=st.lists(st.tuples(products, quantities), min_size=1, max_size=3),
        coupon=st.none() | defined,
    )
    def create_order(self, user: int, items: list[tuple[int, int]], coupon: Sent | None) -> Sent:
        merged: Counter[int] = Counter()
        for product, quantity in items:
            merged[product] += quantity
        # More than 10,000 pieces of one product is no command at all; the codec's tests try it.
        listed = [
            {"productId": product, "quantity": quantity}
            for product, quantity in items
            if merged[product] <= 10_000
        ] or [{"productId": 1, "quantity": 1}]
        named = {} if coupon is None else {"couponId": id_of(coupon)}
        return self._send("CreateOrder", userId=user, items=listed, **named)

    @rule(target=sent, order=placed, times=st.integers(1, 2))
    def pay_order(self, order: Sent, times: int) -> Sent:
        return [self._of_owner("PayOrder", order) for _ in range(times)][-1]

    @rule(target=sent, order=placed, user=users)
    def pay_somebodys_order(self, order: Sent, user: int) -> Sent:
        return self._send("PayOrder", userId=user, orderId=id_of(order))

    @rule(target=sent, order=placed, then=st.sampled_from([None, "CancelOrder", "PayOrder"]))
    def cancel_order(self, order: Sent, then: str | None) -> Sent:
        cancelled = self._of_owner("CancelOrder", order)
        return cancelled if then is None else self._of_owner(then, order)

    @rule(target=sent, order=placed, user=users)
    def cancel_somebodys_order(self, order: Sent, user: int) -> Sent:
        return self._send("CancelOrder", userId=user, orderId=id_of(order))

    @rule(
        target=sent,
        product=products,
        price=st.sampled_from([0, 1, 700, 5_000]),
        stock=st.sampled_from([0, 2, 5]),
    )
    def define_product(self, product: int, price: int, stock: int) -> Sent:
        named = {"productId": product, "name": "Cup", "price": price, "stock": stock}
        return self._send("DefineProduct", **named)

    @rule(
        target=sent,
        product=products,
        pieces=st.sampled_from([1, 3, 10**12]),
    )
    def restock_product(self, product: int, pieces: int) -> Sent:
        return self._send("RestockProduct", productId=product, quantity=pieces)

    @rule(
        targets=(sent, defined),
        code=codes.filter(lambda code: code != "NONE"),
        total=st.integers(0, 3),
        off=st.sampled_from([1, 300, 10**6]),
        valid=st.tuples(moments, moments),
    )
    def define_coupon(
        self,
        code: str,
        total: int,
        off: int,
        valid: tuple[int | None, int | None],
    ) -> Sent:
        terms: dict[str, Any] = {"couponCode": code, "total": total, "discountAmount": off}
        for name, after_ms in zip(("validFrom", "validUntil"), valid, strict=True):
            if after_ms is not None:
                terms[name] = iso(self.log.now_ms + after_ms)
        return self._send("DefineCoupon", **terms)

    @rule(target=sent, user=users, coupon=defined)
    def withdraw_coupon(self, user: int, coupon: Sent) -> Sent:
        """Copies are out, mostly, and a total of none is below them."""
        code = said_in(coupon)["couponCode"]
        self._send("IssueCoupon", userId=user, couponCode=code)
        return self._send("DefineCoupon", couponCode=code, total=0, discountAmount=300)

    @rule(targets=(sent, placed), user=users, purse=purses, pause_ms=pauses)
    def buy(self, user: int, purse: int, pause_ms: int | None) -> Sent:
        """What a customer does, mostly valid: all of it in one batch, or with a pause."""
        self._send("ChargeBalance", userId=user, amount=purse)
        return self._order_and_pay(user, pause_ms)

    @rule(
        targets=(sent, placed),
        user=users,
        coupon=defined,
        pause_ms=pauses,
        times=st.integers(1, 2),
    )
    def buy_with_coupon(self, user: int, coupon: Sent, pause_ms: int | None, times: int) -> Sent:
        self._send("IssueCoupon", userId=user, couponCode=said_in(coupon)["couponCode"])
        self.deliver(TOPICS.coupon_commands.name, 40)
        self._send("ChargeBalance", userId=user, amount=700 * times)
        named = {"couponId": id_of(coupon)}
        return [self._order_and_pay(user, pause_ms, **named) for _ in range(times)][-1]

    @rule(target=sent, order=placed)
    def fill_up_and_cancel(self, order: Sent) -> Sent:
        """Balance and stock are full; what returns goes past their maximum."""
        user = said_in(order)["userId"]
        self.deliver(TOPICS.user_commands.name, 40)
        room = BALANCE_MAX - self.model.balances.get(user, 0)
        if room > 0:
            self._send("ChargeBalance", userId=user, amount=room)
        pieces = STOCK_MAX - self.model.products[2]["stock"]
        if pieces > 0:
            self._send("RestockProduct", productId=2, quantity=pieces)
            self.deliver(TOPICS.catalog_commands.name, 40)
        return self._send("CancelOrder", userId=user, orderId=id_of(order))

    def _of_owner(self, kind: str, order: Sent) -> Sent:
        return self._send(kind, userId=said_in(order)["userId"], orderId=id_of(order))

    def _order_and_pay(self, user: int, pause_ms: int | None, **named: str) -> Sent:
        items = [{"productId": 2, "quantity": 1}]
        order = self._send("CreateOrder", userId=user, items=items, **named)
        if pause_ms is not None:
            self.deliver(TOPICS.user_commands.name, 40)
            self.log.now_ms += pause_ms
        self._send("PayOrder", userId=user, orderId=id_of(order))
        return order

    # What senders and the log do with commands.

    @rule(earlier=sent, spaced=st.booleans())
    def repeat(self, earlier: Sent, spaced: bool) -> None:
        assert earlier.envelope is not None
        self.log.append(earlier.envelope, spaced=spaced)

    @rule(earlier=sent, later=sent)
    def use_an_id_for_something_else(self, earlier: Sent, later: Sent) -> None:
        assert later.envelope is not None
        self.log.append({**later.envelope, "commandId": id_of(earlier)})

    @rule(topic=topics, partition=partitions, key=junk, value=junk)
    def append_junk(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None
    ) -> None:
        self.log.append_bad(topic, partition, (key, value))

    @rule(earlier=sent, key=st.sampled_from([None, b"4", b"1 ", b"other"]))
    def append_under_a_wrong_key(self, earlier: Sent, key: bytes | None) -> None:
        place = earlier.record.place
        self.log.append_bad(place.topic, place.partition, (key, earlier.record.value))

    @rule(earlier=sent)
    def append_to_a_wrong_partition(self, earlier: Sent) -> None:
        topic, partition, _ = earlier.record.place
        self.log.append_bad(topic, 1 - partition, (earlier.record.key, earlier.record.value))

    @rule(topic=topics, partition=partitions)
    def end_a_transaction(self, topic: str, partition: int) -> None:
        self.log.skip(topic, partition)

    @rule(ms=st.sampled_from([-500, 1, 500, 999, 1_000]))
    def wait(self, ms: int) -> None:
        self.log.now_ms += ms

    # What workers do.

    @rule(topic=topics, count=counts)
    def deliver(self, topic: str, count: int) -> None:
        self.take(self.waiting(topic)[:count])

    @rule(topic=topics, start=st.integers(0, 200), count=st.integers(1, 40))
    def deliver_again(self, topic: str, start: int, count: int) -> None:
        """Read again from an earlier place, and perhaps on past what is applied."""
        records = self.log.of_topic(topic)
        applied = sum(record.place in self.rows for record in records)
        start = start % (applied + 1)
        self.take(records[start : start + count])

    def waiting(self, topic: str) -> list[Record]:
        return [r for r in self.log.of_topic(topic) if r.place not in self.rows]

    def take(self, records: list[Record]) -> None:
        """Apply records, and hold what comes of them against the model."""
        if records:
            self.check(records, self.apply(records))

    def check(self, records: list[Record], rows: list[LogRow]) -> None:
        """Every record has its row; a first row is the model's, a later one is the first."""
        assert {record.place for record in records} <= {place_of(row) for row in rows}
        for row in rows:
            if place_of(row) not in self.rows:
                self._check_first(row)
            assert self.rows.setdefault(place_of(row), row) == row
        facts = self.facts()
        sold = {hour: pieces for hour, pieces in self.sold.items() if pieces}
        assert {**facts, "sold": sold} == self.model.facts()
        check_bounds(facts)

    def _check_first(self, row: LogRow) -> None:
        """Hold the row of a record that was applied just now against the model's word."""
        place = place_of(row)
        record = self.log.sent[place].record
        line = place.topic, place.partition
        self.clocks[line] = max(self.clocks.get(line, 0), record.timestamp_ms)
        expected = self.model.reply(self.log.sent[place].envelope, self.clocks[line])
        assert (row.disposition, row.status) == expected[:2], (row, expected)
        assert row.accepted_at_ms == self.clocks[line]
        body = json.loads(row.body)
        assert expected.members.items() <= body.items(), (row, expected)
        self.seen.update((row.disposition, str(body.get("code", row.type))))
        for event in decode_outbox(row.events):
            if event.topic == TOPICS.product_sales.name:
                sale = json.loads(bytes(event.value))
                self.sold[sale["productId"], epoch_ms(sale["soldAt"])] += sale["quantity"]

    def _send(self, kind: str, **payload: Any) -> Sent:
        number = str(UUID(int=len(self.log.sent)))
        envelope = {"commandId": number, "type": kind, "payload": payload}
        return self.log.append(envelope)

    def teardown(self) -> None:
        for topic in TOPICS.commands:
            self.deliver(topic.name, 10_000)


def check_bounds(facts: dict[str, Any]) -> None:
    """Nothing is negative, nothing is over, numbers have no gap."""
    refunded = {user: back for (user, kind), back in facts["moved"].items() if kind == "REFUND"}
    for user, balance in facts["balances"].items():
        assert 0 <= balance <= BALANCE_MAX + refunded.get(user, 0)
    assert all(stock >= 0 for _, stock in facts["products"].values())
    for coupon_id, issued, total in facts["coupons"].values():
        assert 0 <= issued <= total
        numbers = [
            number for (_, held), (number, _) in facts["copies"].items() if held == coupon_id
        ]
        assert sorted(numbers) == list(range(1, issued + 1))


def place_of(row: LogRow) -> Place:
    return Place(row.topic, row.partition, row.offset)


def said_in(item: Sent) -> dict[str, Any]:
    assert item.envelope is not None
    said: dict[str, Any] = item.envelope["payload"]
    return said


def id_of(item: Sent) -> str:
    assert item.envelope is not None
    return str(item.envelope["commandId"])


def iso(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds")


def epoch_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
