"""Pruning in an installation: what comes again afterwards, and pruning while it works."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

from app.adopt import adopt
from storage.engine import create_database
from streams import wire
from streams.retention import Pruner
from streams.topics import DAY_MS
from tests.client import Listener, Producer, Sent, body_of, eventually
from tests.commands import fairline
from tests.edges import edge_of
from tests.installation import Installation
from tests.scenario import buy, define_shop, say
from tests.traffic import (
    COUPON,
    assert_balances,
    assert_coupons,
    assert_order,
    flowing,
)

RESTOCK = wire.RestockProduct(1, 5)
WINDOW_MS = 1_000
TABLE_TO_TIMES = {
    "command_log": "accepted_at_ms",
    "balance_entries": "recorded_at_ms",
    "orders": "created_at_ms expires_at_ms paid_at_ms",
    "user_coupons": "issued_at_ms used_at_ms",
}


async def fill_shop(producer: Producer, listener: Listener) -> list[Sent]:
    """Two customers buy; what follows are the newest records of their partitions."""
    sent = [*await define_shop(producer, listener), await say(producer, listener, RESTOCK)]
    for user_id in (1, 2):
        sent += await buy(producer, listener, user_id)
    for user_id in (1, 2):
        sent.append(await say(producer, listener, wire.ChargeBalance(user_id, 1)))
    for product_id in (1, 2):
        sent.append(await say(producer, listener, wire.RestockProduct(product_id, 1)))
    sent.append(await producer.send(wire.IssueCoupon(3, "HELLO")))
    await listener.results_of(sent)
    return sent


async def let_a_week_pass(installation: Installation) -> None:
    """Make all that is stored eight days older than it is."""
    for table, columns in TABLE_TO_TIMES.items():
        older = ", ".join(f"{name} = {name} - {8 * DAY_MS}" for name in columns.split())
        await installation.query(f"UPDATE {table} SET {older}")


async def prune(installation: Installation, *words: str) -> int:
    """Run `fairline log prune`; return how many rows it says are gone, or would go."""
    said = await fairline(installation, "log", "prune", *words)
    assert said.code == 0, said.err
    found = re.search(r"^(\d+) rows of the command log", said.out, re.MULTILINE)
    assert found, said.out
    return int(found[1])


async def count(installation: Installation, table: str) -> int:
    [(number,)] = await installation.query(f"SELECT count(*) FROM {table}")
    return int(number)


async def pruned(installation: Installation) -> int:
    [(rows,)] = await installation.query("SELECT sum(pruned_rows)::bigint FROM pruned_partitions")
    return rows or 0


async def test_pruned_records_that_come_again_change_nothing_and_publish_no_event(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener):
        async with installation.worker():
            sent = await fill_shop(producer, listener)
        rows = await count(installation, "command_log")
        await let_a_week_pass(installation)
        would_go = await prune(installation, "--dry-run")
        assert await count(installation, "command_log") == rows
        assert await prune(installation) == would_go > len(sent) / 2
        assert await count(installation, "command_log") == rows - would_go
        before = await installation.state()
        await installation.move_group(dict.fromkeys(installation.command_partitions, 0))
        async with installation.worker():
            again = await listener.results_of(sent, nth=2)
    gone = [body_of(result)["code"] for result in again if result.status == 410]
    assert gone == ["ALREADY_APPLIED"] * would_go
    assert all(result.replayed for result in again if result.status == 410)
    assert (len(listener.payments), len(listener.sales)) == (2, 4)
    assert await installation.state() == before


async def test_commands_sent_again_after_the_window_have_a_clean_answer(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener):
        async with installation.worker():
            sent = await fill_shop(producer, listener)
        await let_a_week_pass(installation)
        await prune(installation)
        kept = "wallets", "balance_entries", "orders", "user_coupons", "coupons"
        before = await installation.state()
        charge, issue, order, pay = sent[4:8]
        async with installation.worker():

            async def retry(payload: wire.Shape, first: Sent) -> tuple[int, Any]:
                again = await producer.send(payload, UUID(first.command_id))
                result = await listener.result_at(again.place)
                return result.status, body_of(result)

            told = body_of(listener.results_at(charge.place)[0])
            assert await retry(wire.ChargeBalance(1, 50_000), charge) == (200, told)
            items = [wire.OrderItem(1, 2), wire.OrderItem(2, 1)]
            answers = [
                await retry(wire.IssueCoupon(1, "HELLO"), issue),
                await retry(wire.CreateOrder(1, items), order),
                await retry(wire.PayOrder(1, order.command_id), pay),
                await retry(RESTOCK, sent[3]),
            ]
            other = await producer.send(wire.ChargeBalance(2, 9), UUID(sent[8].command_id))
            assert (await listener.result_at(other.place)).status == 422
        after = await installation.state()
        audit = await fairline(installation, "audit")
        assert audit.code == 0, audit.out
    assert [(status, body.get("code")) for status, body in answers] == [
        (409, "COUPON_ALREADY_ISSUED"),
        (422, "IDEMPOTENCY_KEY_REUSED"),
        (409, "ORDER_ALREADY_PAID"),
        (200, None),
    ]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    # An addition that leaves nothing behind but its sum is carried out anew: it is documented.
    assert answers[3][1]["stock"] == 100 + 5 - 4 + 1 + 5


async def test_an_edge_tells_an_outcome_within_the_window_and_404_after_it(
    installation: Installation,
) -> None:
    async with edge_of(installation, is_ready=False) as customer:
        async with installation.worker():
            await customer.until_ready()
            first = await customer.charge(1, 100, key="once")
            newer = await customer.charge(1, 5)
        known, new = (reply.headers["Command-Id"] for reply in (first, newer))
        await let_a_week_pass(installation)
        assert await prune(installation) == 1
        gone = await customer.command(known)
        assert (gone.status, gone.code) == (404, "COMMAND_NOT_FOUND")
        assert "older than outcomes are kept" in gone.body["detail"]
        assert (await customer.command(new)).body["state"] == "DONE"
        async with installation.worker():
            again = await customer.charge(1, 100, key="once")
        assert (again.status, again.body) == (200, first.body)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert (await customer.command(known)).body["body"] == first.body
        assert await customer.balance(1) == 105


async def test_an_adopted_log_is_not_applied_from_before_what_was_pruned(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener):
        async with installation.worker():
            await fill_shop(producer, listener)
        stock = await installation.query("SELECT product_id, stock FROM products ORDER BY 1")
        async with pruning(installation, window_ms=1):
            await eventually(lambda: pruned_some(installation), "rows to go")
        assert await adopt(installation.settings) == 2
        async with installation.worker():
            last = await say(producer, listener, wire.RestockProduct(2, 1))
        assert (await listener.result_at(last.place)).status == 200
    expected = [stock[0], (2, stock[1][1] + 1)]
    assert (
        await installation.query("SELECT product_id, stock FROM products ORDER BY 1") == expected
    )


async def pruned_some(installation: Installation) -> bool:
    return await pruned(installation) > 0


@asynccontextmanager
async def pruning(installation: Installation, window_ms: int = WINDOW_MS) -> AsyncIterator[None]:
    """Two that prune all partitions, again and again, while the block runs."""
    databases = [create_database(installation.settings.sqlalchemy_url) for _ in range(2)]
    everything = set(installation.command_partitions)
    tasks = [
        asyncio.create_task(
            Pruner(each, installation.committed, window_ms).run(lambda: everything, 0.1)
        )
        for each in databases
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.gather(*(each.dispose() for each in databases))


async def test_rows_stay_bounded_under_load_and_nothing_is_lost(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener), AsyncExitStack() as stack:
        for _ in range(2):
            worker = installation.process("worker", port_name="worker_port")
            await (await stack.enter_async_context(worker)).ready()
        await say(producer, listener, COUPON)
        most = 0
        async with pruning(installation), flowing(producer, per_second=200) as traffic:
            for _ in range(10):
                await listener.more(200)
                most = max(most, await count(installation, "command_log"))
        history = await traffic.history()
        results = await listener.results_of([said.sent for said in history])
    assert {result.status for result in results} == {200}
    firsts = list({said.sent.command_id: said for said in reversed(history)}.values())
    await assert_balances(installation, firsts)
    await assert_coupons(installation, firsts)
    assert_order(listener, history)
    gone, left = await pruned(installation), await count(installation, "command_log")
    assert gone + left == len(history) + 1
    assert most < len(history) * 0.75
    assert await count(installation, "command_ids") < len(firsts) * 0.75


async def test_a_worker_prunes_beside_its_batches(installation: Installation) -> None:
    pruning_soon = installation.worker(retention_ms=1, prune_seconds=0.1)
    async with installation.observed() as (producer, listener), pruning_soon:
        for _ in range(3):
            await say(producer, listener, wire.ChargeBalance(1, 1))
        await eventually(lambda: pruned_some(installation), "rows to go")
    assert await installation.query("SELECT balance FROM wallets") == [(3,)]


async def test_pruning_that_is_killed_leaves_nothing_half_done(
    installation: Installation,
) -> None:
    number = 60_000
    async with installation.observed() as (producer, listener), installation.worker():
        await say(producer, listener, wire.ChargeBalance(1, 1))
    await installation.query(
        'INSERT INTO command_log (epoch, topic, partition, "offset", command_id, principal,'
        " disposition, status, body, accepted_at_ms) SELECT 0, 'before', 0, n, n::text, '7',"
        f" 'APPLIED', 200, '{{}}', n FROM generate_series(1, {number}) n"
    )
    place = 'principal, command_id, epoch, topic, partition, "offset"'
    claims = f"INSERT INTO command_ids SELECT {place} FROM command_log WHERE epoch = 0"
    await installation.query(claims)
    killed = installation.start("log", "prune", port_name="worker_port")
    try:
        await eventually(lambda: pruned_some(installation), "rows to go")
    finally:
        killed.child.process.kill()
        assert await killed.left() != 0
    gone = await pruned(installation)
    assert 0 < gone < number
    for table in ("command_log", "command_ids"):
        left = f'SELECT count(*), min("offset") FROM {table} WHERE epoch = 0'
        assert await installation.query(left) == [(number - gone, gone + 1)]
    assert await prune(installation) == number - gone
    assert await count(installation, "command_log") == await count(installation, "command_ids")
