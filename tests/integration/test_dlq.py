"""`fairline dlq`, typed as an operator would, on records of every reason."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from domain import commands
from domain.rules import RULES
from streams import wire
from streams.codec import encode_command
from streams.records import Place
from tests.client import Producer, Raw, body_of
from tests.commands import fairline
from tests.installation import PARTITIONS, Installation, environment
from tests.integration.test_worker_bad_records import BAD_RECORDS, CHARGE, HOME, KEY, USER
from tests.integration.test_worker_faults import broken_rule, refused_rule

UNLUCKY = 13


def words_of(place: Place) -> tuple[str, str, str]:
    """A letter's place, as it is typed."""
    return (place.topic, str(place.partition), str(place.offset))


async def status_of(installation: Installation, place: Place) -> str:
    shown = await fairline(installation, "dlq", "show", *words_of(place), "--json")
    return str(shown.body["status"])


async def balance_of(installation: Installation, user_id: int) -> int:
    rows = await installation.query("SELECT balance FROM wallets WHERE user_id = $1", user_id)
    return int(rows[0][0]) if rows else 0


async def append(installation: Installation, producer: Producer, raw: Raw) -> Place:
    return await producer.send_raw(installation.topics.user_commands, raw)


def astray() -> Raw:
    """A good command in a partition that is not its key's."""
    return Raw(KEY, encode_command(uuid4(), CHARGE), (HOME + 1) % PARTITIONS)


async def test_letters_of_every_reason_are_listed_and_shown_byte_for_byte(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener), installation.worker():
        places = {
            name: await append(installation, producer, raw)
            for name, (raw, _) in BAD_RECORDS.items()
        }
        for place in places.values():
            await listener.result_at(place)
    listed = (await fairline(installation, "dlq", "list", "--json")).body["deadLetters"]
    found = {Place(x["topic"], x["partition"], x["offset"]): x["reason"] for x in listed}
    assert found == {places[name]: reason for name, (_, reason) in BAD_RECORDS.items()}
    as_table = (await fairline(installation, "dlq", "list", "--reason", "UNKNOWN_TYPE")).out
    assert as_table.count("UNKNOWN_TYPE") == 3
    for name in ("only NUL", "not UTF-8", "unknown type"):
        raw, _ = BAD_RECORDS[name]
        assert await raw_value(installation, places[name]) == raw.value
    missing = await fairline(installation, "dlq", "show", *words_of(places["null value"]), "--raw")
    assert (missing.code, missing.err) == (1, "the record has no value\n")


async def raw_value(installation: Installation, place: Place) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "app.cli", "dlq", "show", *words_of(place), "--raw"),
        env=environment(installation.settings),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return out


async def test_a_replay_puts_a_record_where_its_key_belongs(installation: Installation) -> None:
    async with installation.observed() as (producer, listener), installation.worker():
        place = await append(installation, producer, astray())
        await listener.result_at(place)
        words = ("dlq", "replay", *words_of(place))
        done = await fairline(installation, *words, "--by", "ann", "--why", "a bad partitioner")
        assert done.code == 0, done
        assert "APPLIED 200" in done.out
        again = await fairline(installation, *words)
        assert (again.code, await balance_of(installation, USER)) == (2, 100)
        assert "replayed or discarded before" in again.err
    shown = await fairline(installation, "dlq", "show", *words_of(place))
    assert "status    replayed" in shown.out
    assert "replay asked for by ann: a bad partitioner" in shown.out
    assert "outcome   APPLIED 200" in shown.out


async def test_a_record_is_repaired_by_another_value_and_key(
    installation: Installation, tmp_path: Path
) -> None:
    value = tmp_path / "value"
    value.write_bytes(encode_command(uuid4(), CHARGE))
    async with installation.observed() as (producer, listener), installation.worker():
        place = await append(installation, producer, Raw(None, b"not JSON", 0))
        await listener.result_at(place)
        words = ("dlq", "replay", *words_of(place))
        refused = await fairline(installation, *words)
        assert (refused.code, "KEY_MISSING" in refused.err) == (2, True)
        refused = await fairline(installation, *words, "--key", "7")
        assert (refused.code, "UNDECODABLE" in refused.err) == (2, True)
        done = await fairline(installation, *words, "--key", "7", "--value-file", str(value))
        assert done.code == 0, done
        assert await balance_of(installation, USER) == 100


async def test_a_discarded_letter_is_kept_and_not_replayed(installation: Installation) -> None:
    async with installation.observed() as (producer, listener), installation.worker():
        place = await append(installation, producer, astray())
        await listener.result_at(place)
        silent = await fairline(installation, "dlq", "discard", *words_of(place))
        assert (silent.code, "--why" in silent.err) == (2, True)
        words = ("dlq", "discard", *words_of(place), "--why", "sent by a test")
        assert (await fairline(installation, *words)).code == 0
        assert (await fairline(installation, *words)).code == 1
        refused = await fairline(installation, "dlq", "replay", *words_of(place))
        assert refused.code == 2
    assert await balance_of(installation, USER) == 0
    kept = await fairline(installation, "dlq", "list", "--status", "discarded", "--json")
    assert [x["status"] for x in kept.body["deadLetters"]] == ["discarded"]
    assert (await fairline(installation, "dlq", "list", "--json")).body["deadLetters"] == []


@pytest.mark.parametrize(
    ("rule", "reason"), [(broken_rule, "RULE_FAILED"), (refused_rule, "DATA_REFUSED")]
)
async def test_once_a_rule_is_mended_its_letters_are_replayed_in_order(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, rule: object, reason: str
) -> None:
    amounts = (10, 20, 30)
    async with installation.observed() as (producer, listener), installation.worker():
        monkeypatch.setitem(RULES, commands.ChargeBalance, rule)
        sent = await producer.send_all([wire.ChargeBalance(UNLUCKY, n) for n in amounts])
        dead = await listener.results_of(sent)
        assert [body_of(result)["reason"] for result in dead] == [reason] * 3
        monkeypatch.undo()
        junk = await append(installation, producer, Raw(b"7", b"junk", 0))
        await listener.result_at(junk)
        words = ("dlq", "replay", "--topic", installation.topics.user_commands.name)
        asked = await fairline(installation, *words)
        assert (asked.code, "Replay 3 of 4" in asked.err) == (1, True), asked
        assert "UNDECODABLE" in asked.err
        done = await fairline(installation, *words, "--yes")
        assert (done.code, done.out.count("APPLIED 200")) == (0, 3), done
        # A sender that tries again is told what came of it by now.
        retry = await producer.send(wire.ChargeBalance(UNLUCKY, 10), UUID(sent[0].command_id))
        told = await listener.result_at(retry.place)
        assert (told.status, body_of(told)["balance"], told.replayed) == (200, 10, True)
    assert await balance_of(installation, UNLUCKY) == sum(amounts)
    # What the books say of it all holds, and can be carried out again.
    for options in ((), ("--replay",)):
        audited = await fairline(installation, "audit", *options)
        assert audited.code == 0, audited
