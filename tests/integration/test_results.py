"""One result, however it is asked for: waiting, promised, polled or followed."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.edges import Customer, Reply, edge_of
from tests.installation import Installation
from tests.watching import Watcher, following

ANN, BOB = 1, 2
# Longer than any wait here lasts: whoever is answered before was not answered by its end.
LONG_SECONDS = 30


@dataclass(frozen=True)
class Street:
    """Two edges of one installation."""

    installation: Installation
    here: Customer
    there: Customer


@pytest_asyncio.fixture
async def street(installation: Installation) -> AsyncIterator[Street]:
    async with (
        edge_of(installation, wait_seconds=LONG_SECONDS) as here,
        edge_of(installation, wait_seconds=LONG_SECONDS, edge_number=1) as there,
    ):
        yield Street(installation, here, there)


async def charge(
    customer: Customer, prefer: str, amount: int = 5, key: str | None = None
) -> Reply:
    body = {"userId": ANN, "amount": amount}
    return await customer.post("/balance/charge", body, key, prefer)


async def test_a_promise_is_stored_before_it_is_given(street: Street) -> None:
    begun = time.monotonic()
    replies = await asyncio.gather(*[charge(street.here, "respond-async") for _ in range(30)])
    assert time.monotonic() - begun < LONG_SECONDS
    for reply in replies:
        command_id = reply.headers["Command-Id"]
        assert (reply.status, reply.body) == (202, {"commandId": command_id, "state": "PENDING"})
        assert reply.headers["Location"] == f"/api/v1/commands/{command_id}"
        assert reply.headers["Preference-Applied"] == "respond-async"
        # No worker runs: but for the promise the other edge could not know of it.
        assert (await street.there.get(reply.headers["Location"])).body["state"] == "PENDING"
    async with street.installation.worker():
        for reply in replies:
            done = await street.there.command(reply.headers["Command-Id"], LONG_SECONDS)
            assert (done.body["state"], done.body["status"]) == ("DONE", 200)
    assert await street.here.balance(ANN) == 5 * len(replies)


async def test_a_promise_that_cannot_be_stored_is_not_given(street: Street) -> None:
    async with street.installation.worker():
        await _rename(street.installation, "accepted_commands", "put_away")
        lost = await charge(street.here, "respond-async", key="k")
        assert (lost.status, lost.code) == (503, "OUTCOME_UNKNOWN")
        await _rename(street.installation, "put_away", "accepted_commands")
        again = await charge(street.here, "wait=20", key="k")
        assert again.status == 200
    assert await street.here.balance(ANN) == 5


async def _rename(installation: Installation, before: str, after: str) -> None:
    await installation.query(f"ALTER TABLE {before} RENAME TO {after}")


async def test_a_client_says_how_long_it_waits(street: Street) -> None:
    late = await charge(street.here, "wait=1")
    assert (late.status, late.headers["Preference-Applied"]) == (202, "wait=1")
    both = await charge(street.here, "respond-async, wait=1")
    assert (both.status, both.headers["Preference-Applied"]) == (202, "respond-async, wait=1")
    async with street.installation.worker():
        for reply in (late, both):
            await street.here.command(reply.headers["Command-Id"], LONG_SECONDS)
        waited = await charge(street.here, "wait=20")
        assert (waited.status, waited.body["balance"]) == (200, 15)
        assert waited.headers["Preference-Applied"] == "wait=20"
        plain = await street.here.charge(ANN, 5)
        assert "Preference-Applied" not in plain.headers


async def test_a_long_poll_is_answered_when_the_command_is_done(street: Street) -> None:
    promised = await charge(street.here, "respond-async")
    command_id = promised.headers["Command-Id"]
    pending = await street.there.command(command_id, 1)
    assert (pending.status, pending.body["state"]) == (200, "PENDING")
    polls = [
        asyncio.create_task(customer.command(command_id, LONG_SECONDS))
        for customer in (street.here, street.there)
        for _ in range(20)
    ]
    begun = time.monotonic()
    async with street.installation.worker():
        replies = await asyncio.gather(*polls)
    assert time.monotonic() - begun < LONG_SECONDS
    assert {reply.body["state"] for reply in replies} == {"DONE"}
    direct = await street.here.command(command_id)
    assert all(reply.body == direct.body for reply in replies)


@pytest.mark.parametrize("wait", ["-1", "31", "x", "", "1.5", "1&wait=2"])
async def test_a_wait_is_bounded(street: Street, wait: str) -> None:
    promised = await charge(street.here, "respond-async")
    reply = await street.here.get(f"{promised.headers['Location']}?wait={wait}")
    assert (reply.status, reply.body["errors"][0]["field"]) == (400, "wait")


async def test_an_unknown_command_is_not_waited_for(street: Street) -> None:
    begun = time.monotonic()
    unknown = await street.here.command("00000000-0000-4000-8000-000000000000", LONG_SECONDS)
    assert unknown.code == "COMMAND_NOT_FOUND"
    assert time.monotonic() - begun < LONG_SECONDS


async def begin_of(stream: Watcher) -> str:
    """Wait until a stream has begun; where it did."""
    while not (block := await stream.block()).startswith(b"event: begin"):
        assert block, "the stream has ended"
    _, begin_id, data = block.decode().splitlines()[:3]
    assert data == "data: {}"
    return begin_id.removeprefix("id: ")


async def test_results_are_followed_at_any_edge_and_from_any_place(street: Street) -> None:
    async with street.installation.worker():
        await street.here.charge(ANN, 1)
        async with following(street.there, ANN) as stream:
            begun = await begin_of(stream)
            first = await street.here.charge(ANN, 2)
            await street.here.charge(BOB, 99)
            refused = await street.here.charge(ANN, 10**12)
            told = [await stream.told(), await stream.told()]
        assert [each.command["body"] for each in told] == [first.body, refused.body]
        stored = await street.here.command(first.headers["Command-Id"])
        assert told[0].command == stored.body
        missed = [await street.there.charge(ANN, n) for n in (3, 4)]
        for seen, bodies in (
            (told[0].id, [refused.body, *(each.body for each in missed)]),
            (told[1].id, [each.body for each in missed]),
            (begun, [first.body, refused.body]),
        ):
            async with following(street.here, ANN, seen) as stream:
                assert [(await stream.told()).command["body"] for _ in bodies] == bodies


async def test_a_repeat_is_no_result_of_its_own(street: Street) -> None:
    async with street.installation.worker(), following(street.here, ANN) as stream:
        for _ in range(3):
            await street.here.charge(ANN, 1, key="k")
        await street.here.charge(ANN, 2, key="k")
        last = await street.here.charge(ANN, 3)
        balances = [(await stream.told()).command["body"]["balance"] for _ in range(2)]
        assert balances == [1, last.body["balance"]]


async def test_followers_are_counted_and_places_checked(installation: Installation) -> None:
    async with edge_of(installation, stream_clients_max=1) as customer:
        path = f"/api/v1/commands/stream?userId={ANN}"
        async with customer.http.get(path, headers={"Last-Event-ID": "x"}) as reply:
            assert reply.status == 400
        async with following(customer, ANN) as stream:
            await stream.block()
            assert (await customer.get(path)).code == "UNAVAILABLE"
        assert (await customer.get("/api/v1/commands/stream")).status == 400


async def test_a_repeat_joins_the_wait_at_any_edge(street: Street) -> None:
    waiting = [
        asyncio.create_task(customer.charge(ANN, 5, key="k"))
        for customer in (street.here, street.there, street.here)
    ]
    async with street.installation.worker():
        replies = await asyncio.gather(*waiting)
    assert {(reply.status, reply.body["balance"]) for reply in replies} == {(200, 5)}
    assert len({reply.headers["Command-Id"] for reply in replies}) == 1
