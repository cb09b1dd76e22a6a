"""The database and the log belong together: a worker that finds they do not refuses to start."""

from uuid import UUID

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from app.adopt import adopt
from storage.engine import create_database
from streams import wire
from streams.log_identity import LogRefusedError, identify_log, look_at_log
from streams.log_reader import LogReader
from tests.client import Listener, Producer, Sent, body_of, eventually
from tests.installation import Installation
from tests.scenario import buy, define_shop, say


async def refusal_of(installation: Installation) -> str:
    """Start a worker, see it refuse, and return its reason."""
    with pytest.raises(LogRefusedError) as refused:
        async with installation.worker():
            pass
    return str(refused.value)


async def make_topics_anew(installation: Installation) -> None:
    """Delete the command topics, as nobody should, and make them again."""
    names = [topic.name for topic in installation.topics.commands]
    admin = AIOKafkaAdminClient(bootstrap_servers=installation.settings.kafka_url)
    await admin.start()
    try:
        await admin.delete_topics(names)

        async def are_gone() -> bool | None:
            return not set(names) & set(await admin.list_topics())

        await eventually(are_gone, "the end of the topics")
    finally:
        await admin.close()
    await installation.ensure_topics()


async def fill_shop(producer: Producer, listener: Listener) -> list[Sent]:
    return [*await define_shop(producer, listener), *await buy(producer, listener, 1)]


async def test_a_database_restored_to_an_hour_ago_catches_up_from_the_log(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener):
        async with installation.worker():
            await fill_shop(producer, listener)
        async with installation.backup() as restored:
            async with installation.worker():
                later = await buy(producer, listener, 2)
            assert await facts(restored) != await facts(installation)
            async with restored.worker():
                again = await listener.results_of(later, nth=2)
            assert await facts(restored) == await facts(installation)
        assert [body_of(result) for result in again] == [
            body_of(listener.results_at(one.place)[0]) for one in later
        ]


async def test_a_log_that_grows_while_a_worker_starts_is_not_refused(
    installation: Installation,
) -> None:
    reader = LogReader(installation.settings.kafka_url)
    database = create_database(installation.settings.sqlalchemy_url)
    await reader.start()
    try:
        before = await look_at_log(installation.settings.kafka_url, reader, installation.topics)
        async with installation.observed() as (producer, listener), installation.worker():
            await fill_shop(producer, listener)
        assert await identify_log(database, before, reader, installation.topics) == 1
    finally:
        await reader.stop()
        await database.dispose()


async def facts(installation: Installation) -> dict[str, list[tuple[object, ...]]]:
    """All that is stored, without the numbers that a sequence gave."""
    state = await installation.state()
    for name in ("command_log", "balance_entries"):
        state[name] = sorted((row[1:] for row in state[name]), key=repr)
    return state


async def test_topics_made_anew_are_refused_even_when_they_have_grown_as_long(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener), installation.worker():
        await fill_shop(producer, listener)
    await make_topics_anew(installation)
    assert "the topic was made anew or has lost records" in await refusal_of(installation)
    async with installation.observed() as (producer, listener):
        for user_id in range(1, 9):
            await producer.send_all([wire.ChargeBalance(user_id, 1)] * 5)
            await producer.send_all([wire.IssueCoupon(user_id, "HELLO")])
            await producer.send_all([wire.RestockProduct(user_id, 1)] * 2)
        assert "holds other records than were applied" in await refusal_of(installation)


async def test_another_cluster_is_refused(installation: Installation) -> None:
    async with installation.worker():
        pass
    await installation.query("UPDATE log_epochs SET cluster_id = 'elsewhere'")
    assert "belongs to cluster elsewhere" in await refusal_of(installation)


async def test_another_number_of_partitions_is_refused(installation: Installation) -> None:
    async with installation.worker():
        pass
    wider = installation.with_settings(partitions=installation.settings.partitions * 2)
    assert "set FAIRLINE_PARTITIONS" in await refusal_of(wider)


async def test_a_refused_worker_process_says_why_in_one_line_and_leaves_with_2(
    installation: Installation,
) -> None:
    async with installation.worker():
        pass
    await installation.query("UPDATE log_epochs SET cluster_id = 'elsewhere'")
    async with installation.process("worker", port_name="worker_port") as process:
        assert await process.left() == 2
        said = process.log.read_text().splitlines()
    assert said[-1].startswith("fairline: the database belongs to cluster elsewhere")
    assert "fairline log adopt" in said[-1]


async def test_an_adopted_log_is_applied_without_what_is_known(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener), installation.worker():
        charge = await say(producer, listener, wire.ChargeBalance(3, 10))
    await make_topics_anew(installation)
    assert await adopt(installation.settings) == 2
    async with installation.observed() as (producer, listener):
        # A producer that never saw its acknowledgement sends the same command again.
        again = await producer.send(wire.ChargeBalance(3, 10), UUID(charge.command_id))
        async with installation.worker():
            assert (await listener.result_at(again.place, nth=2)).replayed
            new = await producer.send(wire.ChargeBalance(3, 1))
            assert body_of(await listener.result_at(new.place))["balance"] == 11
    assert await installation.query("SELECT DISTINCT epoch FROM partition_marks") == [(2,)]


async def test_the_same_log_adopted_again_repeats_every_outcome(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener):
        async with installation.worker():
            sent = await fill_shop(producer, listener)
        before = await installation.state("command_log", "partition_marks", "log_epochs")
        assert await adopt(installation.settings) == 2
        async with installation.worker():
            second = await listener.results_of(sent, nth=2)
    assert all(result.replayed for result in second)
    assert [body_of(result) for result in second] == [
        body_of(listener.results_at(one.place)[0]) for one in sent
    ]
    assert await installation.state("command_log", "partition_marks", "log_epochs") == before
