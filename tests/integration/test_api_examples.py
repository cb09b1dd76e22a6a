"""What the description of the API shows is so: examples are sent, and answers are as described."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator, FormatChecker

from streams import wire
from tests.client import Listener, Producer
from tests.edges import Customer, Reply, edge_of
from tests.installation import install
from tests.scenario import say

pytestmark = pytest.mark.asyncio(loop_scope="module")

Said = dict[str, Any]
STREAMS = ("streamTopProducts", "streamResults")
SHOP = [
    wire.DefineProduct(1, "Red bean bun", 2_800, stock=1_000),
    wire.DefineCoupon("WELCOME", 10_000, 1_000),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def customer(
    kafka_url: str, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Customer]:
    installation = await install(kafka_url, database_url, tmp_path_factory.mktemp("examples"))
    async with (
        installation.worker(),
        installation.observed() as (producer, listener),
        edge_of(installation) as customer,
    ):
        await open_shop(producer, listener)
        yield customer


async def open_shop(producer: Producer, listener: Listener) -> None:
    for payload in SHOP:
        await say(producer, listener, payload)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def described(customer: Customer) -> Said:
    """What the edge says of itself."""
    said: Said = (await customer.get("/openapi.json")).body
    return said


def operations(described: Said) -> dict[str, tuple[str, Said]]:
    """Each operation by its id, with its path."""
    return {
        operation["operationId"]: (path, operation)
        for path, item in described["paths"].items()
        for operation in item.values()
    }


def hold_against(described: Said, operation: Said, reply: Reply) -> None:
    """Hold an answer against its description: status, type, body and headers."""
    answer = operation["responses"][str(reply.status)]
    kind = reply.headers["Content-Type"].partition(";")[0]
    schema = {**answer["content"][kind]["schema"], "components": described["components"]}
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(reply.body)
    optional = {"Idempotent-Replayed", "Preference-Applied"}
    assert set(answer.get("headers", {})) - optional <= set(reply.headers)


async def ask(customer: Customer, path: str, operation: Said, known: Said) -> Reply:
    """Send what the description shows; ids that an earlier answer gave are put in."""
    if "requestBody" in operation:
        example = operation["requestBody"]["content"]["application/json"]["example"]
        body = {name: known.get(name, value) for name, value in example.items()}
        return await customer.post(path.removeprefix("/api/v1"), body)
    query = []
    for each in operation.get("parameters", []):
        value = known.get(each["name"], each.get("example"))
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(value))
        elif each["required"]:
            query.append(f"{each['name']}={value}")
    return await customer.get(f"{path}?{'&'.join(query)}" if query else path)


async def test_every_example_succeeds_and_is_answered_as_described(
    customer: Customer, described: Said
) -> None:
    listed = operations(described)
    camel = ["chargeBalance", "issueCoupon", "createOrder", "payOrder", "cancelOrder"]
    known: Said = {}
    for name in [*camel, *(name for name in listed if name not in (*camel, *STREAMS))]:
        path, operation = listed[name]
        reply = await ask(customer, path, operation, known)
        assert reply.status == 200, (name, reply.body)
        hold_against(described, operation, reply)
        known |= {key: reply.body[key] for key in ("orderId", "couponId") if key in reply.body}
        if "Command-Id" in reply.headers:
            known["commandId"] = reply.headers["Command-Id"]


REFUSED: list[tuple[str, str, Said]] = [
    ("chargeBalance", "INVALID_REQUEST", {"amount": 0}),
    ("chargeBalance", "BALANCE_LIMIT_EXCEEDED", {"amount": 10**12}),
    ("issueCoupon", "COUPON_NOT_FOUND", {"couponCode": "NEVER"}),
    ("issueCoupon", "COUPON_ALREADY_ISSUED", {}),
    ("createOrder", "PRODUCT_NOT_FOUND", {"items": [{"productId": 99, "quantity": 1}]}),
    ("payOrder", "ORDER_NOT_FOUND", {}),
    ("readOrder", "ORDER_NOT_FOUND", {"orderId": "none"}),
    ("readProduct", "PRODUCT_NOT_FOUND", {"productId": 99}),
    ("readCommand", "COMMAND_NOT_FOUND", {"commandId": "none"}),
    ("readBalance", "INVALID_REQUEST", {"userId": "x"}),
]


@pytest.mark.parametrize(("name", "code", "changed"), REFUSED)
async def test_refusals_are_answered_as_described(
    customer: Customer, described: Said, name: str, code: str, changed: Said
) -> None:
    path, operation = operations(described)[name]
    if code == "COUPON_ALREADY_ISSUED":
        await ask(customer, path, operation, changed)
    reply = await ask(customer, path, operation, changed)
    assert reply.code == code
    hold_against(described, operation, reply)


async def test_topics_are_described_by_the_names_that_they_have(customer: Customer) -> None:
    said = (await customer.get("/asyncapi.json")).body
    addresses = [channel["address"] for channel in said["channels"].values()]
    assert len(addresses) == 7
    assert all(
        name.endswith(("-commands", "-results", "-events", "-sales", "-letters"))
        for name in addresses
    )
