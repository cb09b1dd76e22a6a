"""A command id is used once: a retry is told the first outcome, other content is a conflict."""

import json
from collections import Counter
from uuid import UUID, uuid4

from streams import wire
from streams.codec import encode_command, key_of, partition_of
from tests.client import Listener, Producer, Raw, Sent, body_of
from tests.installation import PARTITIONS, Installation
from tests.scenario import say

PAIRS = 40
ACTOR = "actor-1"


async def send_both(
    producer: Producer, first: wire.Shape, second: wire.Shape
) -> list[tuple[Sent, Sent]]:
    """Send pairs of commands, each pair under one id of one principal."""
    pairs = []
    for _ in range(PAIRS):
        uuid = uuid4()
        started = [await producer.start(one, uuid, ACTOR) for one in (first, second)]
        pairs.append((await started[0], await started[1]))
    return pairs


async def count_firsts(listener: Listener, pairs: list[tuple[Sent, Sent]]) -> Counter[int]:
    """Count which of each pair came first; the other must be told of a conflict."""
    firsts: Counter[int] = Counter()
    for pair in pairs:
        results = await listener.results_of(pair)
        statuses = [result.status for result in results]
        assert sorted(statuses) == [200, 422]
        conflict = body_of(results[statuses.index(422)])
        assert conflict["code"] == "IDEMPOTENCY_KEY_REUSED"
        assert not any(result.replayed for result in results)
        firsts[statuses.index(200)] += 1
    return firsts


async def test_one_id_under_two_users_keys_charges_one_of_them(
    installation: Installation,
) -> None:
    charges = wire.ChargeBalance(1, 100), wire.ChargeBalance(2, 100)
    assert len({partition_of(key_of(charge), PARTITIONS) for charge in charges}) == 2
    async with installation.observed() as (producer, listener):
        pairs = await send_both(producer, *charges)
        async with installation.worker():
            firsts = await count_firsts(listener, pairs)
    balances = await installation.query("SELECT user_id - 1, balance / 100 FROM wallets")
    assert dict(balances) == firsts
    assert firsts.total() == PAIRS


async def test_one_id_for_a_charge_and_a_coupon_does_one_of_them(
    installation: Installation,
) -> None:
    # They are decided by different agents, in transactions of their own, at the same time.
    async with installation.observed() as (producer, listener):
        async with installation.worker():
            await say(producer, listener, wire.DefineCoupon("RACE", PAIRS, 1))
        pairs = []
        for user_id in range(1, PAIRS + 1):
            uuid = uuid4()
            both = wire.ChargeBalance(user_id, 100), wire.IssueCoupon(user_id, "RACE")
            started = [await producer.start(one, uuid, ACTOR) for one in both]
            pairs.append((await started[0], await started[1]))
        async with installation.worker():
            firsts = await count_firsts(listener, pairs)
    assert await installation.query("SELECT count(*) FROM wallets") == [(firsts[0],)]
    numbers = await installation.query("SELECT number FROM user_coupons ORDER BY number")
    assert numbers == [(number,) for number in range(1, firsts[1] + 1)]


async def test_one_id_for_two_coupon_codes_issues_one_copy(installation: Installation) -> None:
    issues = wire.IssueCoupon(1, "LEFT"), wire.IssueCoupon(1, "EAST")
    assert len({partition_of(key_of(issue), PARTITIONS) for issue in issues}) == 2
    async with installation.observed() as (producer, listener), installation.worker():
        for issue in issues:
            await say(producer, listener, wire.DefineCoupon(issue.coupon_code, 1, 1))
        uuid = uuid4()
        started = [await producer.start(issue, uuid, ACTOR) for issue in issues]
        firsts = await count_firsts(listener, [(await started[0], await started[1])])
    assert firsts.total() == 1
    assert len(await installation.query("SELECT * FROM user_coupons")) == 1


async def test_a_retry_is_told_the_first_outcome_whatever_its_spelling(
    installation: Installation,
) -> None:
    charge = wire.ChargeBalance(1, 100)
    async with installation.observed() as (producer, listener), installation.worker():
        first = await producer.send(charge)
        await producer.send(charge)
        text = encode_command(UUID(first.command_id), charge)
        for value in (text, json.dumps(json.loads(text), indent=2).encode(), text + b" "):
            raw = Raw(b"1", value, first.place.partition)
            place = await producer.send_raw(installation.topics.user_commands, raw)
            again = await listener.result_at(place)
            assert again.replayed
            assert body_of(again) == body_of(await listener.result_at(first.place))
    assert await installation.query("SELECT balance FROM wallets") == [(200,)]


async def test_an_id_belongs_to_its_principal(installation: Installation) -> None:
    uuid = uuid4()
    async with installation.observed() as (producer, listener), installation.worker():
        sent = [await producer.send(wire.ChargeBalance(user, 5), uuid) for user in (1, 2, 1)]
        results = await listener.results_of(sent)
    assert [result.status for result in results] == [200, 200, 200]
    assert [result.replayed for result in results] == [False, False, True]
    assert await installation.query("SELECT balance FROM wallets") == [(5,), (5,)]
