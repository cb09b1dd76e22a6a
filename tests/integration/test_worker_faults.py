"""A bug in a rule, a value that the database refuses, a database that is away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from sqlalchemy.exc import DBAPIError

from domain import commands, wallet
from domain.entities import Wallet
from domain.rules import RULES
from domain.state import Decision, State, Terms
from storage.engine import create_database
from storage.marks import lock_marks
from streams import wire
from tests.client import Listener, Sent, body_of, eventually
from tests.installation import Installation
from tests.proxy import Proxy, proxied

UNLUCKY = 13
USERS = (1, UNLUCKY, 2, 13_000, 1, UNLUCKY, 2)


def broken_rule(state: State, command: commands.ChargeBalance, terms: Terms) -> Decision:
    if command.user_id == UNLUCKY:
        message = "the rule has a bug"
        raise ZeroDivisionError(message)
    return wallet.decide_charge_balance(state, command, terms)


def refused_rule(state: State, command: commands.ChargeBalance, terms: Terms) -> Decision:
    if command.user_id == UNLUCKY:
        decision = wallet.decide_charge_balance(state, command, terms)
        return Decision(decision.outcome, (Wallet(command.user_id, -1),))
    return wallet.decide_charge_balance(state, command, terms)


async def assert_only_the_unlucky_suffer(
    installation: Installation, listener: Listener, sent: list[Sent], told: tuple[int, str]
) -> None:
    """The commands of the unlucky user are dead letters, all others are applied."""
    results = await listener.results_of(sent)
    for user_id, one, result in zip(USERS, sent, results, strict=True):
        if user_id == UNLUCKY:
            assert (result.status, body_of(result)["reason"]) == told
            found = await installation.query(
                "SELECT d.reason, l.disposition FROM dead_letters d JOIN command_log l"
                ' USING (epoch, topic, partition, "offset") WHERE command_id = $1',
                one.command_id,
            )
            assert found == [(told[1], "DEAD")]
        else:
            assert result.status == 200
    balances = await installation.query("SELECT user_id, balance FROM wallets ORDER BY user_id")
    assert balances == [(1, 20), (2, 20), (13_000, 10)]
    await eventually(lambda: len(listener.letters) == 2, "the dead letters")


@pytest.mark.parametrize(
    ("rule", "told"),
    [(broken_rule, (500, "RULE_FAILED")), (refused_rule, (400, "DATA_REFUSED"))],
)
async def test_a_command_that_cannot_be_applied_costs_no_other(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    rule: object,
    told: tuple[int, str],
) -> None:
    monkeypatch.setitem(RULES, commands.ChargeBalance, rule)
    async with installation.observed() as (producer, listener):
        sent = await producer.send_all([wire.ChargeBalance(user_id, 10) for user_id in USERS])
        async with installation.worker():
            await assert_only_the_unlucky_suffer(installation, listener, sent, told)
            monkeypatch.undo()
            later = await producer.send(wire.ChargeBalance(UNLUCKY, 10))
            assert body_of(await listener.result_at(later.place))["balance"] == 10


@asynccontextmanager
async def database_behind_proxy(
    installation: Installation, retry_seconds_max: float
) -> AsyncIterator[tuple[Proxy, Installation]]:
    """The same installation, whose workers reach the database by a way that can be shut."""
    url = urlsplit(installation.settings.database_url)
    assert url.port is not None
    async with proxied(url.port) as proxy:
        given = url._replace(netloc=url.netloc.replace(str(url.port), str(proxy.port)))
        yield (
            proxy,
            installation.with_settings(
                database_url=given.geturl(),
                retry_seconds_max=retry_seconds_max,
                # Kafka lets a member of this name go on where it left, without a wait.
                worker_name="one",
            ),
        )


async def test_a_worker_waits_for_a_database_that_is_away(installation: Installation) -> None:
    async with (
        database_behind_proxy(installation, retry_seconds_max=60) as (proxy, apart),
        installation.observed() as (producer, listener),
        apart.worker() as worker,
    ):
        first = await producer.send(wire.ChargeBalance(1, 10))
        await listener.result_at(first.place)
        await proxy.shut()
        sent = await producer.send_all([wire.ChargeBalance(n, 10) for n in range(1, 9)])
        await eventually(lambda: not worker.health.is_ready, "a worker that is not ready")
        assert worker.health.checks()["database"] is False
        assert not any(listener.results_at(one.place) for one in sent)
        await proxy.open()
        await listener.results_of(sent)
        await eventually(lambda: worker.health.is_ready, "a ready worker")
    assert await installation.query("SELECT sum(balance) FROM wallets") == [(90,)]


async def test_a_worker_that_waited_too_long_leaves_without_acknowledging(
    installation: Installation,
) -> None:
    async with (
        database_behind_proxy(installation, retry_seconds_max=2) as (proxy, apart),
        installation.observed() as (producer, listener),
    ):
        async with apart.process("worker", port_name="worker_port") as process:
            await process.ready()
            await proxy.shut()
            sent = await producer.send_all([wire.ChargeBalance(n, 10) for n in range(1, 9)])
            assert await process.left() == 70
        assert not any(listener.results_at(one.place) for one in sent)
        assert not any((await installation.committed()).values())
        await proxy.open()
        async with apart.process("worker", port_name="worker_port"):
            await listener.results_of(sent)
    assert await installation.query("SELECT sum(balance) FROM wallets") == [(80,)]


async def test_a_database_restored_under_a_running_worker_is_filled_from_the_log(
    installation: Installation,
) -> None:
    async with (
        database_behind_proxy(installation, retry_seconds_max=60) as (proxy, apart),
        installation.observed() as (producer, listener),
        apart.worker(),
    ):
        await listener.results_of(await producer.send_all([wire.ChargeBalance(1, 10)] * 3))
        await proxy.shut()
        async with installation.backup() as backup:
            await proxy.open()
            later = await producer.send_all([wire.ChargeBalance(1, 10)] * 5)
            first = await listener.results_of(later)
            await proxy.shut()
            await installation.restore(backup)
            await proxy.open()
        # The worker knows of nothing until the next record meets a mark that it does not expect.
        last = await producer.send(wire.ChargeBalance(1, 10))
        assert body_of(await listener.result_at(last.place))["balance"] == 90
        assert await listener.results_of(later, nth=2) == first


async def test_a_transaction_that_stands_still_gives_its_locks_back(
    installation: Installation,
) -> None:
    topic = installation.topics.user_commands
    database = create_database(installation.settings.sqlalchemy_url)
    async with installation.observed() as (producer, listener), installation.worker():

        async def freeze_and_wake() -> None:
            async with database.begin() as connection:
                await lock_marks(connection, topic.name, range(topic.partitions))
                # The worker that waits for these locks gets them, and goes on.
                sent = await producer.send(wire.ChargeBalance(1, 10))
                assert (await listener.result_at(sent.place)).status == 200
                await lock_marks(connection, topic.name, range(topic.partitions))

        with pytest.raises(DBAPIError):
            await freeze_and_wake()
    await database.dispose()
    assert await installation.query("SELECT balance FROM wallets") == [(10,)]
