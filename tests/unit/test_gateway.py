"""What the gateway makes of a record of an ingress topic."""

import json
import re
from typing import Any

import msgspec
import pytest

from app.acls import READ, WRITE, command_of, rules_of
from app.ingress import ingresses_in
from app.services.errors import StartError
from app.settings import Settings
from streams import wire
from streams.codec import CommandReader, partition_of
from streams.gateway import Ingress, Passed, pass_on
from streams.kinds import KINDS
from streams.records import LOG_APPEND_TIME, Headers, Place, Record
from tests.house import ROOT
from tests.wire_examples import ID, PARTITIONS, TOPICS, VALID

SHOP = Ingress("shop", frozenset({"ChargeBalance", "IssueCoupon"}))
EVERY = Ingress("root", frozenset(KINDS))
CHARGE = {"commandId": str(ID), "type": "ChargeBalance", "payload": {"userId": 7, "amount": 5}}


def record(value: Any, *, key: bytes | None = b"k", headers: Headers = ()) -> Record:
    raw = value if isinstance(value, bytes | None) else json.dumps(value).encode()
    return Record(Place("ingress-shop", 3, 9), key, raw, headers, 1, LOG_APPEND_TIME)


def passed(value: Any, ingress: Ingress = SHOP, **more: Any) -> Passed:
    (one,) = pass_on(record(value, **more), ingress, TOPICS)
    return one


def test_a_command_goes_to_its_topic_with_the_services_principal() -> None:
    one = passed(CHARGE)
    assert (one.topic, one.key) == ("user-commands", b"7")
    assert one.partition == partition_of(b"7", PARTITIONS)
    assert json.loads(one.value) == {**CHARGE, "principal": "service:shop", "scope": "service"}


@pytest.mark.parametrize(
    "forged",
    [
        {"principal": "7"},
        {"principal": "service:bank", "scope": "service"},
        {"principal": "sub:root", "scope": "admin"},
        {"scope": "admin"},
    ],
)
def test_what_a_record_says_of_itself_changes_nothing(forged: dict[str, str]) -> None:
    headers = [("principal", b"7"), ("scope", b"admin"), ("dead-letter-replay", b"x")]
    assert passed({**CHARGE, **forged}, headers=headers) == passed(CHARGE)


def test_only_what_leads_to_the_outcome_is_kept_of_the_headers() -> None:
    kept = [("request-token", b"t"), ("results-partition", b"1")]
    assert passed(CHARGE, headers=[("a", b"b"), *kept, ("scope", None)]).headers == kept


@pytest.mark.parametrize("key", [None, b"8", b"\xff"])
def test_the_key_is_made_of_the_payload(key: bytes | None) -> None:
    assert passed(CHARGE, key=key) == passed(CHARGE)


@pytest.mark.parametrize(("payload", "key", "_"), VALID, ids=range(len(VALID)))
def test_the_worker_takes_all_that_is_passed_on(payload: wire.Shape, key: bytes, _: Any) -> None:
    said = {"commandId": str(ID), "type": type(payload).__name__}
    one = passed({**said, "payload": msgspec.to_builtins(payload)}, EVERY)
    strict = CommandReader(TOPICS, asks_stamps=True)
    place = Place(one.topic, one.partition, 0)
    read = strict.read(Record(place, one.key, one.value, (), 1, LOG_APPEND_TIME))
    assert (read.poison, read.principal, one.key) == (None, "service:root", key)


#   what was sent                                           reason, status
REFUSED: list[tuple[Any, str, int]] = [
    (None, "UNDECODABLE", 400),
    (b"", "UNDECODABLE", 400),
    (b"{", "UNDECODABLE", 400),
    ({**CHARGE, "more": 1}, "UNDECODABLE", 400),
    ({**CHARGE, "scope": "root"}, "UNDECODABLE", 400),
    ({**CHARGE, "type": "Steal"}, "UNKNOWN_TYPE", 400),
    ({**CHARGE, "payload": {"userId": 7}}, "INVALID_PAYLOAD", 400),
    ({**CHARGE, "type": "PayOrder", "payload": {"userId": 7, "orderId": "o"}}, "NOT_ALLOWED", 403),
    (
        {
            **CHARGE,
            "type": "CreditBalance",
            "payload": {"userId": 7, "amount": 1, "reason": "r"},
            "scope": "admin",
        },
        "NOT_ALLOWED",
        403,
    ),
]


@pytest.mark.parametrize(("said", "reason", "status"), REFUSED)
def test_what_is_not_passed_on_is_told_and_kept(said: Any, reason: str, status: int) -> None:
    sent = record(said, headers=[("request-token", b"t"), ("results-partition", b"5")])
    letter, result = pass_on(sent, SHOP, TOPICS)
    kept = msgspec.json.decode(letter.value, type=wire.DeadLetter)
    assert (letter.topic, kept.reason, kept.value) == ("dead-letters", reason, sent.value)
    assert (kept.topic, kept.partition, kept.offset) == sent.place
    told = msgspec.json.decode(result.value, type=wire.CommandResult)
    assert (result.topic, result.partition, told.request_token) == ("command-results", 5, "t")
    assert told.status == status
    if reason == "NOT_ALLOWED":
        assert told.command_id == str(ID)


def test_services_are_read_from_their_setting() -> None:
    settings = Settings(
        ingress="shop=ChargeBalance,IssueCoupon root-2=PayOrder", topic_prefix="p-"
    )
    assert ingresses_in(settings) == {
        "p-ingress-shop": SHOP,
        "p-ingress-root-2": Ingress("root-2", frozenset({"PayOrder"})),
    }
    with pytest.raises(StartError, match="Steal is no type"):
        ingresses_in(Settings(ingress="shop=Steal"))


@pytest.mark.parametrize("text", ["shop", "shop=", "=PayOrder", "shop=PayOrder;x=PayOrder", "A=X"])
def test_a_setting_of_services_that_is_wrong_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ingress"):
        Settings(ingress=text)


def test_only_edges_and_the_gateway_write_commands_and_a_service_its_own_topic() -> None:
    settings = Settings(ingress="shop=ChargeBalance bank=CreditBalance")
    rules = list(rules_of(settings))
    commands = {topic.name for topic in TOPICS.commands}
    writers = {r.role for r in rules if r.name in commands and r.operation == WRITE}
    assert writers == {"edge", "gateway"}
    for service in ("shop", "bank"):
        own = [(r.operation, r.name) for r in rules if r.role == service]
        assert own == [(WRITE, f"ingress-{service}")]
    readers = {r.role for r in rules if r.name.startswith("ingress-") and r.operation == READ}
    assert readers == {"gateway"}


def test_the_documents_show_what_each_role_writes() -> None:
    table = (ROOT / "docs" / "security.md").read_text().partition("### Access lists")[2]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", table, re.M))
    commands = {topic.name for topic in TOPICS.commands}
    for role in ("edge", "worker", "ranking", "gateway"):
        rules = [r for r in rules_of(Settings()) if r.role == role and r.operation == WRITE]
        shown = set(re.findall(r"`([\w-]+)`", rows[role]))
        shown |= commands if "command topics" in rows[role] else set()
        assert shown == {rule.name for rule in rules}, role


def test_rules_are_written_for_kafkas_own_tool() -> None:
    shown = [command_of(rule) for rule in rules_of(Settings(ingress="shop=PayOrder"))]
    assert (
        "kafka-acls.sh --add --allow-principal User:shop --operation Write --topic 'ingress-shop'"
        in shown
    )
    assert all(line.count("--allow-principal") == 1 for line in shown)
