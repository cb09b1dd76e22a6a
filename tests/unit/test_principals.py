"""Who may give which command: the rule that the worker holds commands to, and their reader."""

import json
from typing import Any

import pytest

from domain.principals import Scope, principal_of_subject, why_not_allowed
from streams.codec import CommandReader, PoisonReason
from streams.kinds import ADMIN_TYPES, KINDS
from streams.records import Record
from tests.wire_examples import ID, TOPICS, record

STRICT = CommandReader(TOPICS, asks_stamps=True)

#   principal      scope          user  admin command   allowed
ALLOWED = [
    ("7", None, 7, False, True),
    ("8", None, 7, False, False),
    ("07", None, 7, False, False),
    ("operator", None, 7, False, False),
    ("sub:7", None, 7, False, False),
    ("service:7", None, 7, False, False),
    ("service:shop", Scope.SERVICE, 7, False, True),
    ("service:shop", Scope.SERVICE, 7, True, False),
    ("service:shop", Scope.SERVICE, None, True, False),
    ("7", None, 7, True, False),
    ("7", None, None, True, False),
    ("7", Scope.ADMIN, 8, True, True),
    ("7", Scope.ADMIN, None, True, True),
    ("7", Scope.ADMIN, 8, False, True),
]


@pytest.mark.parametrize(("principal", "scope", "user_id", "is_admin", "allowed"), ALLOWED)
def test_who_may_do_what(
    principal: str, scope: Scope | None, user_id: int | None, *, is_admin: bool, allowed: bool
) -> None:
    why = why_not_allowed(principal, scope, user_id, is_admin_command=is_admin)
    assert (why is None) == allowed


def test_no_subject_becomes_the_principal_of_somebody_else() -> None:
    for subject in ("operator", "service:shop", "sub:ann", "operator:root"):
        assert principal_of_subject(subject) == (f"sub:{subject}", None)


CHARGE = {
    "commandId": str(ID),
    "type": "ChargeBalance",
    "payload": {"userId": 7, "amount": 5},
}
CREDIT = {**CHARGE, "type": "CreditBalance", "payload": {**CHARGE["payload"], "reason": "r"}}  # type: ignore[dict-item]


def read(envelope: dict[str, Any], *headers: tuple[str, bytes | None]) -> Any:
    plain = record("user-commands", b"7", json.dumps(envelope).encode())
    forged = Record(
        plain.place, plain.key, plain.value, headers, plain.timestamp_ms, plain.timestamp_type
    )
    return STRICT.read(forged)


FORGED = [
    ("principal", b"7"),
    ("scope", b"admin"),
    ("stamped-by", b"edge"),
    ("authorization", b"Bearer x"),
    ("request-token", b"t"),
]

#   envelope                                                       what it is refused for
REFUSED = [
    (CHARGE, "does not say who acts"),
    ({**CHARGE, "principal": None}, "does not say who acts"),
    ({**CHARGE, "principal": "8"}, "not user 7"),
    ({**CHARGE, "principal": "service:shop"}, "not user 7"),
    ({**CREDIT, "principal": "7"}, "scope admin"),
    ({**CREDIT, "principal": "service:shop", "scope": "service"}, "scope admin"),
]


@pytest.mark.parametrize(("envelope", "why"), REFUSED)
def test_what_a_principal_may_not_is_a_dead_letter_whatever_its_headers_say(
    envelope: dict[str, Any], why: str
) -> None:
    for headers in ((), FORGED):
        incoming = read(envelope, *headers)
        assert incoming.poison.reason is PoisonReason.NOT_ALLOWED
        assert why in incoming.poison.detail
        # Nobody's command id is taken by it.
        assert (incoming.command, incoming.principal) == (None, None)


def test_what_a_principal_may_is_read() -> None:
    for envelope in (
        {**CHARGE, "principal": "7"},
        {**CHARGE, "principal": "service:shop", "scope": "service"},
        {**CREDIT, "principal": "sub:root", "scope": "admin"},
    ):
        assert read(envelope).poison is None


def test_a_scope_that_is_not_known_is_no_envelope() -> None:
    incoming = read({**CHARGE, "principal": "7", "scope": "root"})
    assert incoming.poison.reason is PoisonReason.UNDECODABLE


def test_every_command_without_a_user_of_its_own_is_for_admins() -> None:
    users = {name for name, k in KINDS.items() if "user_id" in k.shape.__struct_fields__}
    assert KINDS.keys() - users <= ADMIN_TYPES
    assert users & ADMIN_TYPES == {"CreditBalance"}
