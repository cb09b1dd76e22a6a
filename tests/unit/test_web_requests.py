"""What a client may send: everything else is a 400 that names each wrong field."""

from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from streams import wire
from web.problems import InvalidRequestError
from web.requests import (
    command_id_of,
    decode_body,
    read_idempotency_key,
    read_number,
    read_query,
    read_user_id,
)

INT64_MAX = 2**63 - 1
CHARGE = {"userId": 1, "amount": 100}
ISSUE = {"userId": 1, "couponCode": "RUSH100"}
ORDER = {"userId": 1, "items": [{"productId": 1, "quantity": 2}], "couponId": "c-1"}
PAY = {"userId": 1, "orderId": "o-1"}

BAD_NUMBERS: list[Any] = [
    None, True, "1", 1.5, 1.0, [], {}, 0, -1, -(2**63), 2**63, 2**64, 10**400,
]  # fmt: skip
BAD_CODES: list[Any] = [
    None, 1, True, [], {}, "", "a b", "A\u0000", "A\n", "\u00e9", "\u202egnp", "\U0001f600",
    "x" * 65, "../etc",
]  # fmt: skip
BAD_ITEMS: list[Any] = [None, 1, "x", {}, [], [None], [[]], [1], [{}]]

FIELDS = [
    (wire.ChargeBalance, CHARGE, "userId", BAD_NUMBERS),
    (wire.ChargeBalance, CHARGE, "amount", BAD_NUMBERS),
    (wire.IssueCoupon, ISSUE, "userId", BAD_NUMBERS),
    (wire.IssueCoupon, ISSUE, "couponCode", BAD_CODES),
    (wire.CreateOrder, ORDER, "userId", BAD_NUMBERS),
    (wire.CreateOrder, ORDER, "items", BAD_ITEMS),
    (wire.CreateOrder, ORDER, "couponId", [bad for bad in BAD_CODES if bad is not None]),
    (wire.PayOrder, PAY, "userId", BAD_NUMBERS),
    (wire.PayOrder, PAY, "orderId", BAD_CODES),
    (wire.CancelOrder, PAY, "userId", BAD_NUMBERS),
    (wire.CancelOrder, PAY, "orderId", BAD_CODES),
]


def field_errors(raw: bytes, shape: type[wire.Shape]) -> list[str]:
    with pytest.raises(InvalidRequestError) as caught:
        decode_body(raw, shape)
    assert caught.value.answer.status == 400
    body = msgspec.json.decode(caught.value.answer.body)
    assert body["code"] == "INVALID_REQUEST"
    assert all(error["message"] for error in body["errors"])
    return sorted(error["field"] for error in body["errors"])


@pytest.mark.parametrize(
    ("shape", "good"),
    [
        (wire.ChargeBalance, CHARGE),
        (wire.ChargeBalance, {"userId": INT64_MAX, "amount": INT64_MAX}),
        (wire.IssueCoupon, ISSUE),
        (wire.IssueCoupon, {"userId": 1, "couponCode": "x" * 64}),
        (wire.CreateOrder, ORDER),
        (wire.CreateOrder, {**ORDER, "couponId": None}),
        (wire.PayOrder, PAY),
        (wire.CancelOrder, PAY),
    ],
)
def test_a_documented_body_is_read(shape: type[wire.Shape], good: dict[str, Any]) -> None:
    assert msgspec.to_builtins(decode_body(msgspec.json.encode(good), shape)) == good


@pytest.mark.parametrize(("shape", "good", "field", "bad"), FIELDS)
def test_a_field_that_is_missing_or_wrong_is_named(
    shape: type[wire.Shape], good: dict[str, Any], field: str, bad: list[Any]
) -> None:
    without = {name: value for name, value in good.items() if name != field}
    if field != "couponId":
        assert field_errors(msgspec.json.encode(without), shape) == [field]
    for value in bad:
        errors = field_errors(msgspec.json.encode({**good, field: value}), shape)
        assert {error.partition("[")[0] for error in errors} == {field}, value


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["amount", "userId"]),
        ({"userId": 0, "amount": "x", "more": 1}, ["amount", "more", "userId"]),
        ({"user_id": 1, "amount": 1}, ["userId", "user_id"]),
        ([], ["body"]),
        (None, ["body"]),
        ("text", ["body"]),
    ],
)
def test_all_wrong_fields_are_told_at_once(body: Any, fields: list[str]) -> None:
    assert field_errors(msgspec.json.encode(body), wire.ChargeBalance) == fields


@pytest.mark.parametrize(
    ("items", "fields"),
    [
        ([{"productId": 1, "quantity": 0}], ["items[0].quantity"]),
        ([{"productId": 1, "quantity": 10_001}], ["items[0].quantity"]),
        ([{"quantity": 1}, {"productId": "1"}],
         ["items[0].productId", "items[1].productId", "items[1].quantity"]),
        ([{"productId": 1, "quantity": 1, "price": 0}], ["items[0].price"]),
        ([7], ["items[0]"]),
        ([{"productId": n, "quantity": 1} for n in range(1, 102)], ["items"]),
        ([{"productId": 1, "quantity": 6_000}] * 2, ["items"]),
    ],
)  # fmt: skip
def test_an_orders_lines_are_named_by_their_place(items: list[Any], fields: list[str]) -> None:
    body = {"userId": 1, "items": items}
    assert field_errors(msgspec.json.encode(body), wire.CreateOrder) == fields


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"{", b"nul", b"\x00", b"\xff\xfe{\x00}\x00", b'{"userId":1,"amount":1}}',
        b'{"userId":1,"amount":NaN}', b'{"userId":1,"amount":1e999}',
        b'{"userId":1,"amount":"\\ud800"}', b'{"userId":1,"amount":"\xed\xa0\x80"}',
        b'{"\xff":1}', b"[" * 60_000, b'{"userId":' * 6_000,
    ],
)  # fmt: skip
def test_broken_json_is_a_problem_of_the_body(raw: bytes) -> None:
    assert field_errors(raw, wire.ChargeBalance) == ["body"]


@pytest.mark.parametrize("text", ["1", "42", str(INT64_MAX), "007"])
def test_a_number_in_plain_digits_is_read(text: str) -> None:
    assert read_number("userId", text, INT64_MAX) == int(text)


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "+1", " 1", "1 ", "1_0", "1.0", "1e3", "0x1", "\u0661", "\uff11", "\x00",
     str(2**63), "9" * 5_000, "null"],
)  # fmt: skip
def test_any_other_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        read_number("userId", text, INT64_MAX)


@pytest.mark.parametrize("query", ["", "userId=", "userId=1&userId=1", "userId=1&x=2", "userid=1"])
def test_a_query_has_its_parameters_once_and_no_others(query: str) -> None:
    with pytest.raises(InvalidRequestError):
        read_user_id(make_mocked_request("GET", f"/?{query}"))


def test_a_query_is_read_by_name() -> None:
    request = make_mocked_request("GET", "/?a=1&b=%EC%BF%A0")
    assert read_query(request, "a", "b", "c") == {"a": "1", "b": "쿠"}


def key_in(*values: str) -> str | None:
    headers = CIMultiDict([("Idempotency-Key", value) for value in values])
    return read_idempotency_key(make_mocked_request("POST", "/", headers))


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("k", "k"),
        ("k" * 255, "k" * 255),
        ('"8e03978e-40d5"', "8e03978e-40d5"),
        (r'"a\"b\\c"', r"a\"b\\c".replace("\\\\", "\\").replace('\\"', '"')),
        ('half"quoted', 'half"quoted'),
    ],
)
def test_an_idempotency_key_is_bare_or_a_quoted_string(value: str, key: str) -> None:
    assert key_in(value) == key


def test_without_an_idempotency_key_there_is_none() -> None:
    assert key_in() is None


@pytest.mark.parametrize("values", [("",), ('""',), ("a b",), ("k" * 256,), ("é",), ("a", "a")])
def test_another_idempotency_key_is_refused(values: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequestError, match="Idempotency-Key"):
        key_in(*values)


def test_the_same_key_makes_the_same_id_for_one_principal_and_route_alone() -> None:
    charge = make_mocked_request("POST", "/api/v1/balance/charge")
    pay = make_mocked_request("POST", "/api/v1/orders/pay")
    first = command_id_of(charge, "1", "key")
    assert command_id_of(charge, "1", "key") == first
    others = [(charge, "2", "key"), (charge, "1", "key2"), (pay, "1", "key"), (charge, "1", None)]
    assert first not in {command_id_of(*other) for other in others}
    assert command_id_of(charge, "1", None) != command_id_of(charge, "1", None)
