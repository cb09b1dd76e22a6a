"""Whatever is sent, the answer is a problem that blames the request, and nothing is changed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.edges import Reply
from tests.street import Visitor

# Nobody; a request that slips through would leave a trace.
USER = 4_000_000_000
WRITES: dict[str, dict[str, Any]] = {
    "/balance/charge": {"userId": USER, "amount": 1},
    "/coupons/issue": {"userId": USER, "couponCode": "NONE"},
    "/orders": {"userId": USER, "items": [{"productId": 1, "quantity": 1}], "couponId": "c"},
    "/orders/pay": {"userId": USER, "orderId": "o"},
    "/orders/cancel": {"userId": USER, "orderId": "o"},
}
OPTIONAL = {"couponId"}
STRANGE = [
    "\0",
    "a\0b",
    "",
    " ",
    "a\n",
    "\u202e",
    "\U0001f4a9",
    "\u0661",
    "x" * 65,
    "\ufeff1",
]
NUMBERS = [0, -1, 2**63, 10**400, 1.5, -(2**63)]
OTHERS = [True, False, [], [1], {}, {"a": 1}]
NUMERIC = {"userId", "amount", "productId", "quantity"}


def wrong_values(name: str) -> list[Any]:
    """List what a field of this name can never be."""
    wrong = [*STRANGE, *NUMBERS, *OTHERS]
    if name in NUMERIC:
        return [*wrong, "1", None]
    return [*wrong, 7] if name in OPTIONAL else [*wrong, 7, None]


def wrong_objects(good: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Make every object with one field that is wrong, missing or unknown, with its name."""
    for name in good:
        for wrong in wrong_values(name):
            yield name, {**good, name: wrong}
        if name not in OPTIONAL:
            yield name, {key: value for key, value in good.items() if key != name}
    yield "extra", {**good, "extra": 1}


def assert_blamed(reply: Reply, field: str, body: object) -> None:
    """It is a 400 that names the field."""
    assert (reply.status, reply.code) == (400, "INVALID_REQUEST"), body
    named = [error["field"] for error in reply.body["errors"]]
    assert any(path.startswith(field) for path in named), (named, body)
    assert all(error["message"] for error in reply.body["errors"])


@pytest.mark.parametrize("path", WRITES)
async def test_each_field_of_each_request(real: Visitor, path: str) -> None:
    for name, body in wrong_objects(WRITES[path]):
        assert_blamed(await real.post_raw(path, json.dumps(body).encode()), name, body)
    assert await real.balance(USER) is None


async def test_each_field_of_an_orders_lines(real: Visitor) -> None:
    good = WRITES["/orders"]
    line = good["items"][0]
    for name, wrong in wrong_objects(line):
        reply = await real.post("/orders", {**good, "items": [line, wrong]})
        assert_blamed(reply, f"items[1].{name}", wrong)
    too_many = {"productId": 1, "quantity": 10_001}
    merged = [{"productId": 1, "quantity": 9_999}] * 2
    for items in ([], [line] * 101, [too_many], merged, None, line, "items"):
        assert_blamed(await real.post("/orders", {**good, "items": items}), "items", items)


@pytest.mark.parametrize("path", WRITES)
async def test_bodies_that_are_no_json_object(real: Visitor, path: str) -> None:
    good = json.dumps(WRITES[path]).encode()
    for raw in (
        *(b"", b" ", b"null", b"[]", b"1", b'"x"', b"{", good[:-1], good + b"}", good * 2),
        *(
            b'{"userId": "\\ud800"}',
            b"\xff\xfe",
            good.replace(b"4", b"\xff"),
            b"\0" + good,
            b"[" * 60_000,
        ),
        *(b'{"a":' * 10_000, good.replace(b"{", b"{,"), b"NaN", good.replace(b"4", b"NaN")),
    ):
        assert_blamed(await real.post_raw(path, raw), "", raw[:50])
    for size in (64 * 1024 + 1, 1_000_000):
        reply = await real.post_raw(path, good + b" " * (size - len(good)))
        assert (reply.status, reply.code) == (413, "BODY_TOO_LARGE")


async def test_a_body_of_64_kib_is_read(real: Visitor) -> None:
    body = json.dumps({"userId": USER + 1, "amount": 1}).encode()
    reply = await real.post_raw("/balance/charge", body + b" " * (64 * 1024 - len(body)))
    assert reply.status == 200


@pytest.mark.parametrize("key", ["", " ", "a b", "\u00e9", "x" * 256, "\t"])
async def test_keys_that_are_no_keys(real: Visitor, key: str) -> None:
    reply = await real.post("/balance/charge", WRITES["/balance/charge"], key=key or " ")
    assert_blamed(reply, "Idempotency-Key", key)
    assert await real.balance(USER) is None


BAD_IDS = [
    *("", "0", "-1", "1.0", "+1", "1e3", "0x1", "x", "9223372036854775808", "%00", "1%00"),
    *("%D9%A1", "%F0%9F%92%A9", "%FF", "1,2", "1" * 5_000, "%20", "1%20"),
]


@pytest.mark.parametrize("path", ["balance", "coupons", "orders/o"])
async def test_the_user_of_each_read(real: Visitor, path: str) -> None:
    for bad in BAD_IDS:
        assert_blamed(await real.get(f"/api/v1/{path}?userId={bad}"), "userId", bad)
    for query in ("", "?userId=1&userId=2", "?user=1", "?userId", "?userid=1"):
        reply = await real.get(f"/api/v1/{path}{query}")
        assert (reply.status, reply.code) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("path", ["products/top", "products/top/stream"])
async def test_the_limit_of_each_view_of_the_ranking(real: Visitor, path: str) -> None:
    for bad in [*BAD_IDS, "101"]:
        assert_blamed(await real.get(f"/api/v1/{path}?limit={bad}"), "limit", bad)
    for query, field in (("limit=5&limit=5", "limit"), ("Limit=5", "Limit"), ("date=x", "date")):
        assert_blamed(await real.get(f"/api/v1/{path}?{query}"), field, query)


async def test_the_date_and_source_of_a_stored_ranking(real: Visitor) -> None:
    for bad in (*BAD_IDS, "2026-02-30", "20261123", "2026-11-23T00:00", "11-23", "today"):
        path = "/api/v1/products/top?"
        assert_blamed(await real.get(f"{path}source=daily&date={bad}"), "date", bad)
        assert_blamed(await real.get(f"{path}source={bad}"), "source", bad)


async def test_the_id_of_a_product(real: Visitor) -> None:
    for bad in BAD_IDS:
        if bad:
            assert_blamed(await real.get(f"/api/v1/products/{bad}"), "productId", bad)


async def test_paths_and_methods_that_do_not_exist(real: Visitor) -> None:
    for path in ("/nothing", "/api", "/api/v2/balance", "/api/v1/balance/", "/%00"):
        reply = await real.get(path)
        assert (reply.status, reply.code) == (404, "NOT_FOUND"), path
    for name in ("x", "%00", "0", "0" * 36, "\u0661", "a" * 3_000):
        assert (await real.command(name)).code == "COMMAND_NOT_FOUND"
        assert (await real.read_order(1, name)).code == "ORDER_NOT_FOUND"
    for path in WRITES:
        reply = await real.get(f"/api/v1{path}")
        # A list has this path too, and the others could be the ids of orders.
        if path not in {"/orders", "/orders/pay", "/orders/cancel"}:
            assert (reply.status, reply.code) == (405, "METHOD_NOT_ALLOWED"), path
