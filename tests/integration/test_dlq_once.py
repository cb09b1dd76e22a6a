"""A dead letter is replayed once, whoever asks, and wherever asking ends."""

import asyncio
import sys

from storage.dead_letter_actions import LetterPlace
from storage.engine import create_database
from streams.log_reader import LogReader
from streams.records import Place
from tests.client import eventually
from tests.commands import Said, fairline
from tests.installation import Installation, environment
from tests.integration.test_dlq import append, astray, balance_of, status_of, words_of
from tests.integration.test_worker_bad_records import HOME, USER
from tests.letters import ask_for_replay
from tests.wire_examples import record


async def bury(installation: Installation) -> Place:
    """A dead letter, and no worker any more."""
    async with installation.observed() as (producer, listener), installation.worker():
        place = await append(installation, producer, astray())
        await listener.result_at(place)
    return place


async def appended(installation: Installation, count: int) -> None:
    """Wait until so many records are in the partition of the key."""
    reader = LogReader(installation.settings.kafka_url)
    partition = (installation.topics.user_commands.name, HOME)

    async def look() -> bool:
        return len((await reader.bounds([partition]))[partition]) >= count

    await reader.start()
    try:
        await eventually(look, f"{count} records")
    finally:
        await reader.stop()


async def test_two_operators_at_once_replay_a_letter_once(installation: Installation) -> None:
    place = await bury(installation)
    words = ("dlq", "replay", *words_of(place), "--json")
    replays = [asyncio.create_task(fairline(installation, *words)) for _ in range(2)]
    # Both are in the log before a worker is there.
    await appended(installation, 2)
    async with installation.worker():
        said: list[Said] = [await each for each in replays]
    assert sorted(each.code for each in said) == [0, 1], said
    assert sorted(each.body["replays"][0]["isOurs"] for each in said) == [False, True]
    assert await balance_of(installation, USER) == 100


async def test_a_replay_whose_operator_died_after_appending_is_applied_once(
    installation: Installation,
) -> None:
    place = await bury(installation)
    dying = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "app.cli", "dlq", "replay", *words_of(place)),
        env=environment(installation.settings),
    )
    await appended(installation, 1)
    dying.kill()
    await dying.wait()
    assert await status_of(installation, place) == "open"
    again = asyncio.create_task(fairline(installation, "dlq", "replay", *words_of(place)))
    await appended(installation, 2)
    async with installation.worker():
        said = await again
    assert (said.code, "replayed before" in said.out) == (1, True), said
    assert await status_of(installation, place) == "replayed"
    assert await balance_of(installation, USER) == 100


async def test_a_replay_whose_operator_died_before_appending_is_asked_for_again(
    installation: Installation,
) -> None:
    place = await bury(installation)
    database = create_database(installation.settings.sqlalchemy_url)
    await ask_for_replay(database, LetterPlace(1, *place), record(place.topic, b"7", b"{}"))
    await database.dispose()
    async with installation.worker():
        said = await fairline(installation, "dlq", "replay", *words_of(place))
        assert said.code == 0, said
    assert await balance_of(installation, USER) == 100
    shown = await fairline(installation, "dlq", "show", *words_of(place))
    assert shown.out.count("replay asked for by") == 2


async def test_a_replay_that_no_worker_applies_says_so(installation: Installation) -> None:
    place = await bury(installation)
    words = ("dlq", "replay", *words_of(place), "--wait-seconds", "1")
    said = await fairline(installation, *words)
    assert (said.code, "no worker has applied it" in said.err) == (75, True), said
    assert await status_of(installation, place) == "open"


async def test_keys_are_not_placed_by_a_wrong_number_of_partitions(
    installation: Installation,
) -> None:
    place = await bury(installation)
    mistaken = installation.with_settings(partitions=7)
    said = await fairline(mistaken, "dlq", "replay", *words_of(place))
    assert (said.code, "FAIRLINE_PARTITIONS" in said.err) == (2, True), said
    shown = await fairline(installation, "dlq", "show", *words_of(place))
    assert "replay asked for" not in shown.out
