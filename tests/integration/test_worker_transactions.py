"""Transactional producers: what they abort is never applied, what they commit is."""

from streams import wire
from tests.client import Sent, body_of, producing
from tests.installation import Installation


async def test_aborted_records_are_never_applied_and_markers_are_no_holes(
    installation: Installation,
) -> None:
    applied: list[Sent] = []
    aborted: list[Sent] = []
    url, topics = installation.settings.kafka_url, installation.topics
    async with (
        installation.observed() as (plain, listener),
        producing(url, topics, installation.settings.topic_prefix) as producer,
        installation.worker(),
    ):
        for amount in range(1, 7):
            async with producer.transaction(commit=amount % 2 == 0):
                listed = applied if amount % 2 == 0 else aborted
                listed.append(await producer.send(wire.ChargeBalance(1, amount)))
            applied.append(await plain.send(wire.ChargeBalance(1, 100)))
        results = await listener.results_of(applied)
        assert [body_of(result)["chargedAmount"] for result in results] == [
            *(100, 2, 100, 100, 4, 100, 100, 6, 100)
        ]
        assert not any(listener.results_at(one.place) for one in aborted)
    assert await installation.query("SELECT balance FROM wallets") == [(612,)]
    assert await installation.query("SELECT count(*) FROM command_log") == [(9,)]


async def test_a_hole_with_aborted_records_in_it_is_filled_without_them(
    installation: Installation,
) -> None:
    url, topics = installation.settings.kafka_url, installation.topics
    async with (
        installation.observed() as (plain, listener),
        producing(url, topics, installation.settings.topic_prefix) as producer,
    ):
        kept = []
        for amount in range(1, 5):
            async with producer.transaction(commit=amount % 2 == 0):
                kept.append(await producer.send(wire.ChargeBalance(1, amount)))
        place = kept[-1].place
        await installation.move_group({(place.topic, place.partition): place.offset + 2})
        async with installation.worker():
            last = await plain.send(wire.ChargeBalance(1, 100))
            assert body_of(await listener.result_at(last.place))["balance"] == 106
            await listener.results_of([kept[1], kept[3]])
    assert await installation.query("SELECT count(*) FROM command_log") == [(3,)]
