"""Records that are no commands: each becomes a dead letter, and its neighbours are applied."""

import json
from uuid import uuid4

from streams import wire
from streams.codec import REQUEST_TOKEN, RESULTS_PARTITION, encode_command, partition_of
from streams.records import Place
from tests.client import Listener, Producer, Raw, body_of
from tests.installation import PARTITIONS, Installation

USER = 7
KEY = b"7"
HOME = partition_of(KEY, PARTITIONS)
ELSEWHERE = (HOME + 1) % PARTITIONS
CHARGE = wire.ChargeBalance(USER, 100)


def envelope(**changes: object) -> bytes:
    command = json.loads(encode_command(uuid4(), CHARGE))
    return json.dumps({**command, **changes}).encode()


def payload(**changes: object) -> bytes:
    return envelope(payload={"userId": USER, "amount": 100, **changes})


BAD_RECORDS = {
    "no key": (Raw(None, envelope(), HOME), "KEY_MISSING"),
    "no key, no value": (Raw(None, None, HOME), "KEY_MISSING"),
    "null value": (Raw(KEY, None, HOME), "UNDECODABLE"),
    "empty value": (Raw(KEY, b"", HOME), "UNDECODABLE"),
    "broken JSON": (Raw(KEY, envelope()[:-5], HOME), "UNDECODABLE"),
    "not UTF-8": (Raw(KEY, b'{"type": "\xff\xfe"}', HOME), "UNDECODABLE"),
    "only NUL": (Raw(KEY, b"\0\0\0", HOME), "UNDECODABLE"),
    "a list": (Raw(KEY, b"[]", HOME), "UNDECODABLE"),
    "deep nesting": (Raw(KEY, b"[" * 100_000, HOME), "UNDECODABLE"),
    "deep payload": (
        Raw(KEY, envelope().replace(b"100", b"[" * 50_000 + b"]" * 50_000), HOME),
        "UNDECODABLE",
    ),
    "no command id": (Raw(KEY, envelope(commandId=None), HOME), "UNDECODABLE"),
    "an unknown field": (Raw(KEY, envelope(extra=1), HOME), "UNDECODABLE"),
    "NUL in the principal": (Raw(KEY, envelope(principal="a\0b"), HOME), "UNDECODABLE"),
    "NUL in the type": (Raw(KEY, envelope(type="Charge\0"), HOME), "UNKNOWN_TYPE"),
    "unknown type": (Raw(KEY, envelope(type="StealBalance"), HOME), "UNKNOWN_TYPE"),
    "another topic's type": (Raw(KEY, envelope(type="IssueCoupon"), HOME), "UNKNOWN_TYPE"),
    "amount of zero": (Raw(KEY, payload(amount=0), HOME), "INVALID_PAYLOAD"),
    "amount of text": (Raw(KEY, payload(amount="100"), HOME), "INVALID_PAYLOAD"),
    "amount past 64 bits": (Raw(KEY, payload(amount=2**63), HOME), "INVALID_PAYLOAD"),
    "no payload fields": (Raw(KEY, envelope(payload={}), HOME), "INVALID_PAYLOAD"),
    "key that is another's": (Raw(b"8", envelope(), HOME), "KEY_MISMATCH"),
    "key with a NUL": (Raw(b"7\0", envelope(), HOME), "KEY_MISMATCH"),
    "key that is not text": (Raw(b"\xff\0", envelope(), HOME), "KEY_MISMATCH"),
    "wrong partition": (Raw(KEY, envelope(), ELSEWHERE), "WRONG_PARTITION"),
}


async def append_mixed(
    installation: Installation, producer: Producer
) -> tuple[dict[str, Place], list[Place]]:
    """Append each bad record, and a good one of the same user behind it."""
    bad = {}
    good = []
    for name, (raw, _) in BAD_RECORDS.items():
        bad[name] = await producer.send_raw(installation.topics.user_commands, raw)
        good.append((await producer.send(CHARGE)).place)
    return bad, good


async def test_each_bad_record_is_a_dead_letter_and_its_neighbours_are_applied(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener):
        bad, good = await append_mixed(installation, producer)
        async with installation.worker():
            results = [await listener.result_at(place) for place in good]
            for name, place in bad.items():
                await assert_buried(installation, listener, place, name)
        balances = [body_of(result)["balance"] for result in results]
        assert balances == [100 * number for number in range(1, len(good) + 1)]


async def assert_buried(
    installation: Installation, listener: Listener, place: Place, name: str
) -> None:
    """It has a row and a letter with its own bytes, and whoever waits for it is told."""
    raw, reason = BAD_RECORDS[name]
    result = await listener.result_at(place)
    body = body_of(result)
    assert (result.status, body["code"], body["reason"]) == (400, "DEAD_LETTER", reason), name
    letter = next(
        found
        for found in listener.letters
        if (found.topic, found.partition, found.offset) == place
    )
    assert (letter.key, letter.value, letter.reason) == (raw.key, raw.value, reason), name
    rows = await installation.query(
        'SELECT key, value, reason FROM dead_letters WHERE (topic, partition, "offset")'
        " = ($1, $2, $3)",
        *place,
    )
    assert rows == [(raw.key, raw.value, reason)], name


FOLLOWED = {b"2": 2, b"0": 0, b"02": 2}
IGNORED = (b"99", b"-1", b"", b"two", b"4", b"2" * 25, "\u0662".encode())


async def test_a_result_goes_where_its_sender_listens_if_there_is_such_a_partition(
    installation: Installation,
) -> None:
    wanted = {**FOLLOWED, **dict.fromkeys(IGNORED, HOME)}
    async with installation.observed() as (producer, listener), installation.worker():
        for given in wanted:
            token = given.hex() + "-mine"
            headers = [(RESULTS_PARTITION, given), (REQUEST_TOKEN, token.encode()), ("x", b"\xff")]
            sent = await producer.send(CHARGE, headers=headers)
            await listener.result_at(sent.place)
    tokens = [result.request_token for result in listener.results]
    heard = dict(zip(tokens, listener.result_partitions, strict=True))
    assert heard == {given.hex() + "-mine": number for given, number in wanted.items()}
