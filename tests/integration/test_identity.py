"""Who may do what at an edge that asks for tokens: a matrix made of its own description.

Every principal asks every operation, with every kind of id: its own, another's, nobody's.
"""

import copy
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientTimeout

from tests import tokens as issuer
from tests.edges import Customer, edge_of
from tests.installation import install
from tests.scenario import define_shop
from tests.tokens import token
from web.access import Access, access_to
from web.contract import documents
from web.openapi import camel_case
from web.operations import OPERATIONS
from web.routes import ROUTES

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN, BOB = 7, 8
Said = dict[str, Any]

HANDLER_OF = {camel_case(handler.__name__): handler for handler in OPERATIONS}
DESCRIBED: Said = json.loads(documents()["openapi.json"])
CALLS = {
    operation["operationId"]: (method, path, operation)
    for path, item in DESCRIBED["paths"].items()
    for method, operation in item.items()
}
USERS = sorted(name for name in CALLS if access_to(HANDLER_OF[name]) is Access.USER)
ADMINS = sorted(name for name in CALLS if access_to(HANDLER_OF[name]) is Access.ADMIN)
PUBLIC = sorted(name for name in CALLS if access_to(HANDLER_OF[name]) is Access.PUBLIC)

STRANGERS = {
    "nobody": (None, 401),
    "another scheme": ("Basic YW5uOmFubg==", 401),
    "a bad token": ("Bearer x.y.z", 401),
    "an expired token": (f"Bearer {token(str(ANN), exp=1)}", 401),
    "alg none": ("Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiI3In0.", 401),
    "an empty token": ("Bearer ", 401),
}
WITH_TOKENS = {
    "ann": f"Bearer {token(str(ANN))}",
    "bob": f"Bearer {token(str(BOB))}",
    "a service": f"Bearer {token('shop')}",
    "an admin": f"Bearer {token('root', scope=issuer.ADMIN)}",
    "an admin who is a user": f"Bearer {token('9', scope=issuer.ADMIN)}",
}


@dataclass(frozen=True)
class Shop:
    """A shop behind tokens, with an order and a command of Ann's."""

    http: Any
    order_id: str
    command_id: str

    async def ask(
        self, operation_id: str, user_id: int, authorization: str | None, **changes: Any
    ) -> tuple[int, Said, Any]:
        """Ask an operation as it is described, for a user, with ids of Ann's."""
        method, path, operation = CALLS[operation_id]
        path = path.format(
            orderId=changes.get("order_id", self.order_id),
            commandId=changes.get("command_id", self.command_id),
            productId=1,
            couponCode="WELCOME",
        )
        named = {parameter["name"] for parameter in operation.get("parameters", ())}
        headers = {} if authorization is None else {"Authorization": authorization}
        async with self.http.request(
            method,
            path,
            params={"userId": str(user_id)} if "userId" in named else {},
            json=self._body(operation, user_id, changes),
            headers=headers,
            timeout=ClientTimeout(total=20),
        ) as response:
            is_json = response.content_type.endswith("json")
            body = await response.json(content_type=None) if is_json else {}
            return response.status, body, response.headers

    def _body(self, operation: Said, user_id: int, changes: Said) -> Said | None:
        if "requestBody" not in operation:
            return None
        content = operation["requestBody"]["content"]["application/json"]
        body: Said = copy.deepcopy(content["example"])
        if "userId" in body:
            body["userId"] = user_id
        if "orderId" in body:
            body["orderId"] = changes.get("order_id", self.order_id)
        return body


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(
    kafka_url: str, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    installation = await install(kafka_url, database_url, tmp_path_factory.mktemp("identity"))
    async with (
        installation.worker(),
        installation.observed() as (producer, listener),
        edge_of(installation, identifier=issuer.tokens()) as customer,
    ):
        await define_shop(producer, listener)
        yield await _with_an_order(customer)


async def _with_an_order(customer: Customer) -> Shop:
    shop = Shop(customer.http, "none", str(uuid.uuid4()))
    assert (await shop.ask("chargeBalance", ANN, WITH_TOKENS["ann"]))[0] == 200
    status, order, headers = await shop.ask("createOrder", ANN, WITH_TOKENS["ann"])
    assert status == 200, order
    return Shop(customer.http, order["orderId"], headers["Command-Id"])


def challenge_of(headers: Any) -> str:
    said: str = headers["WWW-Authenticate"]
    assert said.startswith('Bearer realm="fairline"')
    return said


async def test_the_matrix_has_all_routes(shop: Shop) -> None:
    described = {r.handler for r in ROUTES if r.handler in OPERATIONS}
    assert described == {HANDLER_OF[name] for name in (*USERS, *ADMINS, *PUBLIC)}
    assert len(USERS) >= 9
    for name, (_, _, operation) in CALLS.items():
        assert operation["security"] == ([] if name in PUBLIC else [{"token": []}]), name


@pytest.mark.parametrize("operation_id", [*USERS, *ADMINS])
@pytest.mark.parametrize("stranger", STRANGERS)
async def test_strangers_are_asked_for_a_token(
    shop: Shop, operation_id: str, stranger: str
) -> None:
    authorization, status = STRANGERS[stranger]
    told, body, headers = await shop.ask(operation_id, ANN, authorization)
    assert (told, body["code"]) == (status, "UNAUTHENTICATED")
    has_token = (authorization or "").startswith("Bearer")
    assert ('error="invalid_token"' in challenge_of(headers)) == has_token


@pytest.mark.parametrize("operation_id", PUBLIC)
@pytest.mark.parametrize("who", [*STRANGERS, *WITH_TOKENS])
async def test_public_routes_ask_nobody(shop: Shop, operation_id: str, who: str) -> None:
    authorization = WITH_TOKENS.get(who) or STRANGERS[who][0]
    assert (await shop.ask(operation_id, ANN, authorization))[0] in (200, 404)


NAMES_A_USER = [
    name
    for name in USERS
    if "userId" in str(CALLS[name][2].get("parameters", ""))
    or "userId"
    in CALLS[name][2]
    .get("requestBody", {})
    .get("content", {})
    .get("application/json", {})
    .get("example", {})
]


@pytest.mark.parametrize("operation_id", NAMES_A_USER)
@pytest.mark.parametrize("who", [name for name in WITH_TOKENS if name != "ann"])
async def test_nobody_acts_for_another_user(shop: Shop, operation_id: str, who: str) -> None:
    before = await shop.ask("readBalance", ANN, WITH_TOKENS["ann"])
    told, body, _ = await shop.ask(operation_id, ANN, WITH_TOKENS[who])
    assert (told, body["code"]) == (403, "NOT_YOUR_USER")
    assert (await shop.ask("readBalance", ANN, WITH_TOKENS["ann"]))[1] == before[1]


@pytest.mark.parametrize("operation_id", [n for n in USERS if n not in NAMES_A_USER])
@pytest.mark.parametrize("who", [name for name in WITH_TOKENS if name != "ann"])
async def test_what_has_no_user_in_it_is_not_there_for_others(
    shop: Shop, operation_id: str, who: str
) -> None:
    assert (await shop.ask(operation_id, ANN, WITH_TOKENS["ann"]))[0] == 200
    assert (await shop.ask(operation_id, ANN, WITH_TOKENS[who]))[0] == 404


@pytest.mark.parametrize("operation_id", ["readOrder", "payOrder", "cancelOrder"])
@pytest.mark.parametrize(("who", "user_id"), [("bob", BOB), ("an admin who is a user", 9)])
async def test_anothers_order_is_not_there(
    shop: Shop, operation_id: str, who: str, user_id: int
) -> None:
    told, body, _ = await shop.ask(operation_id, user_id, WITH_TOKENS[who])
    assert (told, body["code"]) == (404, "ORDER_NOT_FOUND")
    nobodys = await shop.ask(operation_id, user_id, WITH_TOKENS[who], order_id=str(uuid.uuid4()))
    # Nothing tells another's order from one that does not exist.
    assert nobodys[0] == 404
    same = {"orderId": 0, "requestId": 0}
    assert {**nobodys[1], **same} == {**body, **same}
    mine = await shop.ask("readOrder", ANN, WITH_TOKENS["ann"])
    assert mine[1]["status"] == "PENDING"


@pytest.mark.parametrize("operation_id", ADMINS)
@pytest.mark.parametrize("who", ["ann", "bob", "a service"])
async def test_admin_routes_ask_for_the_scope(shop: Shop, operation_id: str, who: str) -> None:
    told, body, headers = await shop.ask(operation_id, ANN, WITH_TOKENS[who])
    assert (told, body["code"]) == (403, "INSUFFICIENT_SCOPE")
    assert 'error="insufficient_scope", scope="fairline:admin"' in challenge_of(headers)


async def test_without_a_user_the_tokens_is_meant(shop: Shop) -> None:
    async with shop.http.get(
        "/api/v1/balance", headers={"Authorization": WITH_TOKENS["bob"]}
    ) as response:
        assert await response.json() == {"userId": BOB, "balance": None}


async def test_two_headers_are_one_too_many(shop: Shop) -> None:
    headers = [("Authorization", WITH_TOKENS["ann"]), ("Authorization", WITH_TOKENS["bob"])]
    async with shop.http.get("/api/v1/balance", headers=headers) as response:
        assert response.status == 400
        assert 'error="invalid_request"' in challenge_of(response.headers)


async def test_a_key_is_its_principals_own(shop: Shop) -> None:
    ids: dict[str, set[str]] = {}
    for who, user_id in (("ann", ANN), ("bob", BOB)):
        for _ in range(2):
            async with shop.http.post(
                "/api/v1/balance/charge",
                json={"userId": user_id, "amount": 1000},
                headers={"Authorization": WITH_TOKENS[who], "Idempotency-Key": "same"},
            ) as response:
                # The outcome may be late; the id is what this is about.
                assert response.status in (200, 202)
                ids.setdefault(who, set()).add(response.headers["Command-Id"])
    assert [len(each) for each in ids.values()] == [1, 1]
    assert ids["ann"] != ids["bob"]


async def test_a_path_that_is_not_there_tells_nobody_more(shop: Shop) -> None:
    async with shop.http.get("/api/v1/nothing") as response:
        assert response.status == 404
    async with shop.http.delete("/api/v1/balance") as response:
        assert response.status == 405


async def test_without_tokens_the_description_asks_for_none(
    kafka_url: str, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    installation = await install(kafka_url, database_url, tmp_path_factory.mktemp("open"))
    async with edge_of(installation) as customer:
        said = (await customer.get("/openapi.json")).body
    assert "securitySchemes" not in said["components"]
    assert not any("security" in op for item in said["paths"].values() for op in item.values())
