"""What `fairline dlq` shows, and what it refuses, on a database of its own."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.dlq_replay import Correction, UnfitError, prepare
from app.dlq_text import clean, short
from storage.command_log import DeadLetterRow, save_log_rows
from storage.engine import create_database
from storage.migrate import upgrade_async
from storage.rows import Writes
from streams import wire
from streams.codec import encode_command, partition_of
from tests.wire_examples import ID, PARTITIONS, TOPICS
from tests.worlds import NOW_MS

USERS = "user-commands"
CHARGE = encode_command(ID, wire.ChargeBalance(7, 5))
NASTY = b"\x1b[2J\x07\xff"
LETTER = DeadLetterRow(
    1, USERS, 4, 17, b"7", CHARGE, '[["h","AP8="],["n",null]]', "UNKNOWN_TYPE", "No.", NOW_MS
)
LETTERS = [
    LETTER,
    replace(LETTER, offset=18, value=NASTY, key=NASTY, detail="\x1b[31mred", reason="UNDECODABLE"),
    replace(LETTER, offset=19, value=None, key=None, reason="KEY_MISSING", headers="[]"),
]


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with letters in it, which the settings name."""
    file = tmp_path / "fairline.db"

    async def fill() -> None:
        made = f"sqlite+aiosqlite:///{file}"
        await upgrade_async(made)
        database = create_database(made)
        writes = Writes()
        save_log_rows(writes, [], [], LETTERS)
        async with database.begin() as connection:
            await writes.flush(connection)
        await database.dispose()

    asyncio.run(fill())
    monkeypatch.setenv("FAIRLINE_DATABASE_URL", f"sqlite:///{file}")
    return str(file)


def dlq(*words: str) -> Result:
    return CliRunner().invoke(main, ["dlq", *words])


def offsets(*words: str) -> list[int]:
    listed = json.loads(dlq("list", "--json", *words).stdout)["deadLetters"]
    return [one["offset"] for one in listed]


@pytest.mark.usefixtures("url")
def test_the_list_is_filtered_and_goes_on_behind_a_letter() -> None:
    assert offsets() == [19, 18, 17]
    assert offsets("--limit", "2") == [19, 18]
    assert offsets("--limit", "2", "--after", USERS, "4", "18") == [17]
    assert offsets("--reason", "UNDECODABLE") == [18]
    assert offsets("--topic", "coupon-commands") == []
    assert offsets("--since", "2020-01-01") == [19, 18, 17]
    assert offsets("--since", "2100-01-01T00:00:00+09:00") == []
    assert offsets("--status", "discarded") == []
    more = dlq("list", "--limit", "1").stderr
    assert more == f"there may be more: --after {USERS} 4 19\n"


@pytest.mark.usefixtures("url")
def test_what_a_producer_sent_does_not_reach_the_terminal_as_it_is() -> None:
    shown = [dlq("list"), dlq("show", USERS, "4", "18"), dlq("show", USERS, "4", "18", "--json")]
    for result in shown:
        assert result.exit_code == 0, result
        assert not set(result.stdout) & {"\x1b", "\x07"}
    assert "\\x1b[31mred" in shown[0].stdout
    assert "00000000  1b 5b 32 4a 07 ff" in shown[1].stdout
    assert dlq("show", USERS, "4", "18", "--raw").stdout_bytes == NASTY


@pytest.mark.usefixtures("url")
def test_show_tells_text_as_text_and_headers() -> None:
    shown = dlq("show", USERS, "4", "17").stdout
    assert CHARGE.decode() in shown
    assert "header    h: base64:AP8=" in shown
    assert "header    n: none" in shown
    assert "reason    UNKNOWN_TYPE: No." in shown
    assert "(none)" in dlq("show", USERS, "4", "19").stdout


@pytest.mark.usefixtures("url")
def test_several_are_discarded_after_a_question_and_shown_so() -> None:
    words = ("discard", "--topic", USERS, "--why", "a test", "--by", "ann")
    assert dlq(*words).exit_code == 1
    assert offsets("--status", "discarded") == []
    assert dlq(*words, "--yes").stdout == "discarded: 3 of 3\n"
    assert offsets("--status", "discarded") == [19, 18, 17]
    assert "discarded by ann: a test" in dlq("show", USERS, "4", "17").stdout
    one = dlq("discard", USERS, "4", "17", "--why", "again")
    assert (one.exit_code, one.stdout) == (1, "discarded: 0 of 1\n")


#   words                                                     what is said
REFUSED: list[tuple[tuple[str, ...], str]] = [
    (("show", USERS, "4", "99"), "no dead letter is kept of user-commands 4 99"),
    (("show", USERS, "4", "17", "--epoch", "2"), "of log epoch 2"),
    (("discard", "--why", "w"), "name one letter"),
    (("discard", USERS, "4", "17", "--topic", USERS, "--why", "w"), "name one letter"),
    (("discard", "--topic", USERS, "--epoch", "1", "--why", "w"), "--epoch goes with"),
    (("discard", USERS, "4", "--why", "w"), "a name and two numbers"),
    (("discard", USERS, "4", "-1", "--why", "w"), "-1"),
    (("discard", USERS, "4", "17"), "--why"),
    (("replay",), "name one letter"),
    (("replay", "--topic", USERS, "--key", "7"), "are for one letter"),
    (("list", "--since", "yesterday"), "is no time"),
    (("list", "--after", USERS, "4", "99"), "no dead letter is kept"),
]


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_what_cannot_be_done_is_said_with_exit_2(words: tuple[str, ...], said: str) -> None:
    result = dlq(*words)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_database_without_tables_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRLINE_DATABASE_URL", f"sqlite:///{tmp_path / 'none.db'}")
    result = dlq("list")
    assert result.exit_code == 75
    assert len(result.stderr.splitlines()) == 1


def test_a_replay_goes_to_the_partition_of_its_key_with_its_headers() -> None:
    headers = '[["request-token","YQ=="],["dead-letter-replay","eA=="],["n",null]]'
    record = prepare(replace(LETTER, partition=1, headers=headers), Correction(), TOPICS)
    assert (record.key, record.value) == (b"7", CHARGE)
    assert record.place.partition == partition_of(b"7", PARTITIONS)
    assert record.headers == [("request-token", b"a"), ("n", None)]


#   letter                                    correction                    why not
UNFIT: list[tuple[DeadLetterRow, Correction, str]] = [
    (replace(LETTER, value=b"{"), Correction(), "UNDECODABLE"),
    (replace(LETTER, key=None), Correction(), "KEY_MISSING"),
    (replace(LETTER, key=b"8"), Correction(), "KEY_MISMATCH"),
    (LETTER, Correction(key=b"8"), "KEY_MISMATCH"),
    (LETTER, Correction(value=b"{}"), "UNDECODABLE"),
    (replace(LETTER, topic="product-sales"), Correction(), "no command topic"),
]


@pytest.mark.parametrize(("letter", "correction", "why"), UNFIT)
def test_what_would_be_a_dead_letter_again_is_not_prepared(
    letter: DeadLetterRow, correction: Correction, why: str
) -> None:
    with pytest.raises(UnfitError, match=why):
        prepare(letter, correction, TOPICS)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (None, "none"),
        (b"", ""),
        ("감자".encode(), "감자"),
        (b"a\nb", "base64:YQpi"),
        (b"\xff", "base64:/w=="),
        ("a\u202eb".encode(), "base64:YeKArmI="),
    ],
)
def test_bytes_are_shown_in_a_line(raw: bytes | None, shown: str) -> None:
    assert short(raw) == shown
    assert clean(shown) == shown
