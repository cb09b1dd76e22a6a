"""The command log of a shop with a past, carried out again: it comes out the same, or it shows."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from storage.audit import looking
from storage.engine import Database
from storage.migrate import upgrade_async
from streams.audit.books import load_horizon
from streams.audit.comparing import compare_states
from streams.audit.passes import audit
from streams.audit.portion import Past
from streams.audit.replay import LogReplay
from streams.decisions import Rulebook
from tests.contract.conftest import opened, sqlite_url
from tests.contract.test_dead_letter_replays import (
    HOME,
    KEY,
    asked_twice,
    dead_by_rule,
    line,
    told,
)
from tests.history import RULEBOOK, History, execute, id_of
from tests.stateful.log_in_memory import TOPICS


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database to carry commands out in."""
    url = sqlite_url(tmp_path / "replay.db")
    await upgrade_async(url)
    async with opened(url) as made:
        yield made


@pytest.fixture
async def history(database: Database) -> History:
    history = History(database)
    await history.begin()
    return history


class Replayed(dict[str, list[str]]):
    """What differs, by invariant; and what was said about it."""

    note: str = ""


async def replayed(source: Database, target: Database, rulebook: Rulebook = RULEBOOK) -> Replayed:
    async with looking(source) as connection:
        horizon = await load_horizon(connection)
        replay = LogReplay(target, rulebook, Past(horizon.taken_over))
        await replay.run(connection, lambda *_: None, 0)
        async with target.snapshot() as made:
            states = await compare_states(connection, made, lambda *_: None)
    assert replay.finding.checked
    found = (replay.finding, *states)
    differing = Replayed({f.invariant.name: f.first for f in found if f.violations})
    differing.note = replay.finding.note
    return differing


async def spoil(history: History, *statements: str) -> None:
    async with history.database.begin() as connection:
        await execute(connection, *statements)


async def test_what_is_carried_out_again_comes_out_the_same(
    history: History, target: Database
) -> None:
    await history.live(60, together=True)
    assert await replayed(history.database, target) == {}


async def test_each_row_that_was_changed_is_found_by_its_command(
    history: History, target: Database
) -> None:
    charge = id_of(history.send("ChargeBalance", userId=1, amount=5_000))
    order = history.send("CreateOrder", userId=1, items=[{"productId": 1, "quantity": 1}])
    pay = id_of(history.send("PayOrder", userId=1, orderId=id_of(order)))
    await history.apply()
    await spoil(
        history,
        f"UPDATE command_log SET body = replace(body, '5000', '5001') WHERE command_id='{charge}'",
        f"UPDATE command_log SET events = NULL WHERE command_id = '{pay}'",
    )
    found = await replayed(history.database, target)
    assert list(found) == ["replayed-outcomes"]
    assert [charge in each or pay in each for each in found["replayed-outcomes"]] == [True, True]


async def test_a_payload_that_was_changed_is_not_carried_out(
    history: History, target: Database
) -> None:
    charge = id_of(history.send("ChargeBalance", userId=1, amount=5_000))
    await history.apply()
    changed = f"replace(payload, '5000', '9000') WHERE command_id = '{charge}'"
    await spoil(history, f"UPDATE command_log SET payload = {changed}")
    found = await replayed(history.database, target)
    assert "fingerprint" in found["replayed-outcomes"][0]
    assert list(found) == ["replayed-outcomes", "replayed-wallets", "replayed-balance_entries"]


STATE = [
    ("wallets", "UPDATE wallets SET balance = balance + 1 WHERE user_id = 1"),
    ("balance_entries", "UPDATE balance_entries SET amount = 1 WHERE user_id = 1"),
    ("products", "UPDATE products SET price = 1 WHERE product_id = 3"),
    ("coupons", "UPDATE coupons SET total = total + 1 WHERE coupon_code = 'EVER'"),
    ("user_coupons", "UPDATE user_coupons SET discount_amount = 1"),
    ("orders", "UPDATE orders SET expires_at_ms = 1"),
    ("order_lines", "DELETE FROM order_lines"),
]


@pytest.mark.parametrize(("table", "statement"), STATE)
async def test_state_that_no_command_made_is_found(
    history: History, target: Database, table: str, statement: str
) -> None:
    history.send("ChargeBalance", userId=1, amount=5_000)
    history.send("IssueCoupon", userId=1, couponCode="EVER")
    history.send("CreateOrder", userId=1, items=[{"productId": 1, "quantity": 1}])
    await history.apply()
    await spoil(history, statement)
    assert list(await replayed(history.database, target)) == [f"replayed-{table}"]


async def test_a_row_that_is_gone_is_missed(history: History, target: Database) -> None:
    charge = id_of(history.send("ChargeBalance", userId=1, amount=5_000))
    await history.apply()
    await spoil(history, f"DELETE FROM command_log WHERE command_id = '{charge}'")
    found = await replayed(history.database, target)
    assert list(found) == ["replayed-wallets", "replayed-balance_entries"]


async def test_settings_that_are_not_those_of_then_are_named(
    history: History, target: Database
) -> None:
    history.send("ChargeBalance", userId=1, amount=90_000)
    history.send("CreateOrder", userId=1, items=[{"productId": 1, "quantity": 1}])
    await history.apply()
    rulebook = replace(RULEBOOK, balance_max=80_000, order_expiry_ms=1_000)
    found = await replayed(history.database, target, rulebook)
    assert "FAIRLINE_BALANCE_MAX was not 80000 then" in found.note
    assert "FAIRLINE_ORDER_EXPIRY_SECONDS was not 1 then" in found.note


async def test_orders_may_have_seen_what_stood_a_moment_before(
    history: History, target: Database
) -> None:
    """They read without a lock: what changed meanwhile may have been written first."""
    coupon = history.coupon_ids[1]
    items = [{"productId": 2, "quantity": 1}]
    seen = [
        history.send("CreateOrder", userId=1, items=items),
        history.send("CreateOrder", userId=1, items=items, couponId=coupon),
        history.send("CreateOrder", userId=1, items=[{"productId": 4, "quantity": 1}]),
    ]
    await history.apply()
    history.send("DefineProduct", productId=2, name="Cup", price=9, stock=0)
    history.send("DefineProduct", productId=4, name="New", price=9, stock=3)
    history.send("IssueCoupon", userId=1, couponCode="EVER")
    await history.apply()
    late = ", ".join(f"'{id_of(each)}'" for each in seen)
    await spoil(history, f"UPDATE command_log SET id = id + 1000 WHERE command_id IN ({late})")
    found = await replayed(history.database, target)
    assert found == {}
    assert found.note.startswith("3 orders saw what stood a moment before")


async def test_a_charge_that_is_told_again_by_another_principal_is_in_order(
    history: History, target: Database
) -> None:
    charge = history.send("ChargeBalance", userId=1, amount=5_000)
    assert charge.envelope is not None
    history.log.append({**charge.envelope, "principal": "svc:other"})
    await history.apply()
    history.log.now_ms += 1_000
    history.log.append({**charge.envelope, "principal": "svc:third"})
    await history.apply()
    assert await replayed(history.database, target) == {}
    async with looking(history.database) as connection:
        findings = (await audit(connection, lambda *_: None)).findings
    assert [finding for finding in findings.all if finding.violations] == []


async def test_replays_of_dead_letters_are_in_order(
    database: Database, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await line(database)
    letter = await dead_by_rule(made, monkeypatch, uuid4())
    again = made.record(KEY, letter.value, HOME)
    replays = await asked_twice(made, letter)
    last = made.record(KEY, letter.value, HOME)
    outcomes = [await told(made, each) for each in (again, *replays, last)]
    assert [each for ((each, _),) in outcomes] == ["REPEATED", "APPLIED", "CONFLICT", "REPEATED"]
    rulebook = Rulebook(TOPICS, 1, 10_000_000, 900_000)
    assert await replayed(database, target, rulebook) == {}
    async with looking(database) as connection:
        findings = (await audit(connection, lambda *_: None)).findings
    assert [finding for finding in findings.all if finding.violations] == []
