"""`fairline audit`, typed as an operator would: on what real traffic has left, and under it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from storage.audit import looking
from storage.engine import create_database
from streams import wire
from streams.audit.passes import audit
from tests.client import Listener, Producer, Raw
from tests.commands import Said, fairline
from tests.installation import Installation, install
from tests.scenario import buy, define_shop, say
from tests.traffic import COUPON, flowing

AUDITS = 5


def violated(said: Said) -> set[str]:
    """The invariants that an audit says are violated, from its JSON."""
    return {each["name"] for each in said.body["invariants"] if each["violations"]}


async def trade(producer: Producer, listener: Listener, topics: Any) -> None:
    """Every kind of command, with retries, conflicts, refusals and a record that is none."""
    await define_shop(producer, listener)
    bought = [await buy(producer, listener, user_id) for user_id in (1, 2)]
    order_id = bought[0][2].command_id
    await say(producer, listener, wire.CancelOrder(1, order_id))
    await say(producer, listener, wire.RestockProduct(1, 3))
    charge = await say(producer, listener, wire.ChargeBalance(1, 7))
    others = [
        await producer.send(wire.ChargeBalance(1, 7), UUID(charge.command_id)),
        await producer.send(wire.ChargeBalance(1, 8), UUID(charge.command_id)),
        await producer.send(wire.PayOrder(1, order_id)),
        *[await producer.send(wire.IssueCoupon(user, "HELLO")) for user in (3, 4, 5)],
    ]
    await listener.results_of(others)
    place = await producer.send_raw(topics.user_commands, Raw(b"1", b"{"))
    await listener.result_at(place)


@pytest.fixture
def empty_url(new_database: Callable[[], str]) -> str:
    """A database without tables."""
    return new_database()


@pytest.fixture
async def traded(installation: Installation) -> Installation:
    """An installation that has traded, and whose worker has left."""
    async with installation.observed() as (producer, listener), installation.worker():
        await trade(producer, listener, installation.topics)
    return installation


async def test_what_traffic_has_left_is_in_order_and_comes_out_again(
    traded: Installation,
) -> None:
    audited = await fairline(traded, "audit")
    assert (audited.code, audited.out.splitlines()[-1][:9]) == (0, "audit: OK"), audited
    assert "command_log: " in audited.err
    replayed = await fairline(traded, "audit", "--replay", "--json")
    assert (replayed.code, violated(replayed)) == (0, set()), replayed


async def test_what_somebody_changed_is_found(traded: Installation) -> None:
    await traded.query("UPDATE products SET stock = stock - 1 WHERE product_id = 2")
    audited = await fairline(traded, "audit", "--json")
    assert (audited.code, violated(audited)) == (1, {"stock"})
    replayed = await fairline(traded, "audit", "--replay")
    assert replayed.code == 1
    assert "replayed-products" in replayed.out


async def test_a_replay_goes_into_an_empty_database_and_no_other(
    traded: Installation, empty_url: str
) -> None:
    first = await fairline(traded, "audit", "--replay", "--into", empty_url)
    assert (first.code, first.out.splitlines()[-1][:9]) == (0, "audit: OK"), first
    again = await fairline(traded, "audit", "--replay", "--into", empty_url)
    assert (again.code, "is not empty" in again.err) == (2, True)
    itself = traded.settings.database_url
    assert (await fairline(traded, "audit", "--replay", "--into", itself)).code == 2


async def test_a_log_that_was_pruned_is_said_to_be(traded: Installation) -> None:
    pruned = "INSERT INTO pruned_partitions VALUES (1, $1, 0, 1, 1, 1)"
    await traded.query(pruned, traded.topics.user_commands.name)
    audited = await fairline(traded, "audit")
    assert (audited.code, "not checked: the command log was pruned" in audited.out) == (0, True)
    replayed = await fairline(traded, "audit", "--replay")
    assert (replayed.code, "was pruned" in replayed.err) == (2, True)


async def test_where_there_is_nothing_to_look_at_it_says_so(
    installation: Installation, empty_url: str, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.db"
    for url in (f"sqlite:///{missing}", empty_url, "postgresql://nobody@127.0.0.1:1/x"):
        said = await fairline(installation.with_settings(database_url=url), "audit")
        assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1), said
    assert not missing.exists()


@pytest.fixture(params=["postgres", "sqlite"])
def either_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty PostgreSQL database, and an SQLite file."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shop.db'}"
    url: str = request.getfixturevalue("empty_url")
    return url


async def test_a_live_database_raises_no_false_alarm(
    kafka_url: str, either_url: str, tmp_path: Path
) -> None:
    either = await install(kafka_url, either_url, tmp_path)
    database = create_database(either.settings.sqlalchemy_url, connections_max=2)
    rows: list[int] = []
    async with either.observed() as (producer, listener), either.worker():
        await say(producer, listener, COUPON)
        async with flowing(producer, per_second=100) as traffic:
            for _ in range(AUDITS):
                await traffic.more(50)
                async with looking(database) as connection:
                    books = await audit(connection, lambda *_: None)
                assert [f for f in books.findings.all if f.violations] == []
                rows.append(books.rows["command_log"])
    await database.dispose()
    assert rows == sorted(set(rows))
