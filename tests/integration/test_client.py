"""The Python client, at a real edge with a real worker."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from client import (
    Fairline,
    OutcomeUnknownError,
    RefusedError,
    Retrying,
    UnavailableError,
    cancel_order,
    charge_balance,
    create_order,
    issue_coupon,
    pay_order,
)
from tests.edges import Customer, edge_of
from tests.installation import Installation
from tests.scenario import define_shop

ANN = 1
BRIEF = Retrying(seconds_max=0.5, first_seconds=0.01)


@dataclass(frozen=True)
class Shop:
    """An installation, its edge, and a client of it."""

    installation: Installation
    customer: Customer
    fairline: Fairline


def url_of(customer: Customer) -> str:
    assert isinstance(customer.http, TestClient)
    return str(customer.http.make_url("/"))


@pytest_asyncio.fixture
async def shop(installation: Installation) -> AsyncIterator[Shop]:
    async with (
        edge_of(installation) as customer,
        Fairline(url_of(customer)) as fairline,
    ):
        yield Shop(installation, customer, fairline)


async def test_a_purchase_and_all_that_can_be_read(shop: Shop) -> None:
    fairline = shop.fairline
    async with shop.installation.worker(), shop.installation.observed() as (producer, listener):
        await define_shop(producer, listener)
        assert await fairline.balance(ANN) is None
        assert (await fairline.do(charge_balance(ANN, 50_000))).balance == 50_000
        coupon = await fairline.do(issue_coupon(ANN, "HELLO"))
        assert (coupon.number, coupon.total) == (1, 3)
        order = await fairline.do(create_order(ANN, {1: 2, 2: 1}, coupon.coupon_id))
        paid = await fairline.do(pay_order(ANN, order.order_id))
        assert (paid.status, paid.balance) == ("PAID", 50_000 - order.payable_amount)
        again = await fairline.do(create_order(ANN, {1: 1}))
        assert (await fairline.do(cancel_order(ANN, again.order_id))).refunded_amount == 0
        assert [each.kind async for each in fairline.history(ANN)] == ["PAYMENT", "CHARGE"]
        newest = [each.order_id async for each in fairline.orders(ANN)]
        assert newest == [again.order_id, order.order_id]
        assert (await fairline.order(ANN, order.order_id)).status == "PAID"
        assert [copy.receipt async for copy in fairline.coupons(ANN)] == [coupon.receipt]
        [record] = [record async for record in fairline.line("HELLO")]
        assert coupon.receipt is not None
        assert (record.offset, record.number) == (coupon.receipt.offset, 1)
        assert [product.product_id async for product in fairline.products()] == [1, 2]


async def test_refusals_are_exceptions_with_their_code(shop: Shop) -> None:
    async with shop.installation.worker():
        with pytest.raises(RefusedError) as refused:
            await shop.fairline.do(issue_coupon(ANN, "NONE"))
        assert (refused.value.status, refused.value.code) == (404, "COUPON_NOT_FOUND")
        assert refused.value.command_id is not None
        with pytest.raises(RefusedError) as refused:
            await shop.fairline.do(charge_balance(ANN, 0))
        assert refused.value.code == "INVALID_REQUEST"
        await shop.fairline.do(charge_balance(ANN, 5), key="k")
        assert (await shop.fairline.do(charge_balance(ANN, 5), key="k")).balance == 5
        with pytest.raises(RefusedError) as refused:
            await shop.fairline.do(charge_balance(ANN, 6), key="k")
        assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"


async def test_promises_are_kept_and_followed(shop: Shop) -> None:
    promise = await shop.fairline.send(charge_balance(ANN, 7))
    refused = await shop.fairline.send(charge_balance(ANN, 10**12))
    assert not (await shop.fairline.command(promise.command_id)).is_done
    with pytest.raises(OutcomeUnknownError) as late:
        await promise.result(seconds_max=0.5)
    assert late.value.key == promise.key
    results = shop.fairline.results(ANN)
    following = asyncio.ensure_future(anext(results))
    async with shop.installation.worker():
        assert (await promise.result()).balance == 7
        with pytest.raises(RefusedError):
            await refused.result()
        while not following.done():
            # The stream may have begun after the first ones.
            await shop.fairline.do(charge_balance(ANN, 1))
        assert following.result().is_done


class Moody:
    """A server that says what it is told to, one answer after the other."""

    def __init__(self, *said: tuple[int, dict[str, str], str]) -> None:
        self.said = list(said)
        self.keys: list[str | None] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Idempotency-Key"))
        status, headers, code = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        body = {"code": code, "detail": "d", "userId": 1, "chargedAmount": 1, "balance": 1}
        return web.json_response(body, status=status, headers=headers)


AGAIN = {"Retry-After": "0"}
DONE = (200, dict[str, str](), "")

#   what the server says                                          what comes of it
MOODS: list[tuple[list[tuple[int, dict[str, str], str]], type[Exception] | None]] = [
    ([(429, AGAIN, "TOO_MANY_WAITING"), DONE], None),
    ([(503, AGAIN, "UNAVAILABLE"), (502, {}, ""), DONE], None),
    ([(503, AGAIN, "OUTCOME_UNKNOWN"), DONE], None),
    ([(503, AGAIN, "UNAVAILABLE")], UnavailableError),
    ([(429, {"Retry-After": "100"}, "TOO_MANY_WAITING")], UnavailableError),
    ([(503, AGAIN, "OUTCOME_UNKNOWN")], OutcomeUnknownError),
    # Whatever comes after a doubt leaves it.
    ([(503, AGAIN, "OUTCOME_UNKNOWN"), (503, AGAIN, "UNAVAILABLE")], OutcomeUnknownError),
    ([(409, {}, "X"), DONE], RefusedError),
    ([(500, {}, "INTERNAL_ERROR"), DONE], RefusedError),
]


@pytest.mark.parametrize(("said", "raised"), MOODS)
async def test_what_can_help_is_tried_again_with_the_same_key(
    said: list[tuple[int, dict[str, str], str]], raised: type[Exception] | None
) -> None:
    moody = Moody(*said)
    app = web.Application()
    app.router.add_post("/api/v1/balance/charge", moody.answer)
    async with (
        TestServer(app) as server,
        Fairline(str(server.make_url("/")), retrying=PATIENT) as it,
    ):
        if raised is None:
            assert (await it.do(charge_balance(1, 1))).balance == 1
        else:
            with pytest.raises(raised):
                await it.do(charge_balance(1, 1))
    assert len(set(moody.keys)) == 1
    assert moody.keys[0]


PATIENT = Retrying(seconds_max=3, first_seconds=0.01)


async def test_who_cannot_be_reached_has_accepted_nothing() -> None:
    async with Fairline("http://127.0.0.1:9", retrying=BRIEF) as nowhere:
        for asked in (nowhere.balance(1), nowhere.do(charge_balance(1, 1))):
            with pytest.raises(UnavailableError) as away:
                await asked
            assert away.value.code == "UNREACHABLE"


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.close()


async def test_a_connection_that_breaks_leaves_a_doubt_about_writes_only() -> None:
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Fairline(f"http://127.0.0.1:{port}", retrying=BRIEF) as rude:
        with pytest.raises(UnavailableError):
            await rude.balance(1)
        with pytest.raises(OutcomeUnknownError) as lost:
            await rude.do(charge_balance(1, 1), key="k")
        assert (lost.value.key, lost.value.code) == ("k", "NO_ANSWER")


#   attempt  Retry-After  chance  seconds
PAUSES = [
    (0, None, 1.0, 0.1),
    (0, None, 0.0, 0.05),
    (3, None, 1.0, 0.8),
    (99, None, 1.0, 5.0),
    (0, "3", 0.0, 3.0),
    (9, "3", 0.5, 3.5),
    (0, "soon", 1.0, 0.1),
    (0, "-1", 1.0, 0.1),
]


@pytest.mark.parametrize(("attempt", "told", "chance", "seconds"), PAUSES)
def test_pauses_are_what_the_server_says_or_double(
    attempt: int, told: str | None, chance: float, seconds: float
) -> None:
    assert Retrying().pause(attempt, told, chance) == seconds
