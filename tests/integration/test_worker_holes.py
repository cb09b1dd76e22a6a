"""Records that did not come, for the group's offset is ahead: the worker reads them by itself."""

from uuid import uuid4

import pytest

from streams import wire
from streams.publisher import Publisher
from streams.records import Place
from tests.client import body_of, producing
from tests.installation import Installation

EVERYWHERE: list[wire.Shape] = [
    payload
    for number in range(1, 9)
    for payload in (
        wire.ChargeBalance(number, 1),
        wire.DefineCoupon(f"CODE{number}", 1, 1),
        wire.DefineProduct(number, "Tea", 1),
    )
]


def behind(places: list[Place]) -> dict[tuple[str, int], int]:
    """Return the offset behind the last of these records, by partition."""
    return {(place.topic, place.partition): place.offset + 1 for place in sorted(places)}


async def test_records_that_did_not_come_are_applied_first_and_in_order(
    installation: Installation,
) -> None:
    # More than one chunk of a hole.
    charges = [wire.ChargeBalance(7, 1)] * 1100
    async with installation.observed() as (producer, listener):
        skipped = await producer.send_all(charges)
        await installation.move_group(behind([one.place for one in skipped]))
        async with installation.worker():
            last = await producer.send(charges[0])
            assert body_of(await listener.result_at(last.place))["balance"] == 1101
            results = await listener.results_of(skipped)
    assert [body_of(result)["balance"] for result in results] == list(range(1, 1101))
    assert len(listener.results) == 1101


async def test_holes_of_all_topics_are_filled_though_no_record_follows(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener):
        skipped = await producer.send_all(EVERYWHERE)
        await installation.move_group(behind([one.place for one in skipped]))
        async with installation.worker():
            results = await listener.results_of(skipped)
    assert {result.status for result in results} == {200}


async def test_what_a_worker_caught_up_with_and_did_not_publish_is_published_by_the_next(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: object) -> None:
        message = "killed between commit and publishing"
        raise OSError(message)

    async with installation.observed() as (producer, listener):
        skipped = await producer.send_all(EVERYWHERE)
        await installation.move_group(behind([one.place for one in skipped]))
        monkeypatch.setattr(Publisher, "publish", die)
        with pytest.raises(OSError, match="killed"):
            async with installation.worker():
                pass
        monkeypatch.undo()
        async with installation.worker():
            results = await listener.results_of(skipped)
    assert {result.status for result in results} == {200}


async def test_holes_that_open_in_all_topics_at_once_are_filled(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener), installation.worker():
        for _ in range(3):
            # Markers of a transaction leave a hole in each partition that it wrote to.
            async with (
                producing(
                    installation.settings.kafka_url,
                    installation.topics,
                    installation.settings.topic_prefix,
                ) as transactional,
                transactional.transaction(commit=True),
            ):
                await transactional.send_all(EVERYWHERE)
            sent = await producer.send_all(EVERYWHERE)
            assert {r.status for r in await listener.results_of(sent)} == {200}


async def test_what_the_database_refuses_in_a_hole_is_buried_alone(
    installation: Installation,
) -> None:
    uuid = uuid4()
    payloads = [wire.DefineCoupon(code, 1, 1) for code in ("TAKEN", "OTHER", "NEXT")]
    async with installation.observed() as (producer, listener):
        # Two principals may use one id, but a coupon's id is its command's.
        skipped = [
            await producer.send(payloads[0], uuid, "first"),
            await producer.send(payloads[1], uuid, "second"),
            await producer.send(payloads[2]),
        ]
        await installation.move_group(behind([one.place for one in skipped]))
        async with installation.worker():
            await producer.send_all(payloads)
            results = await listener.results_of(skipped)
    assert sorted(result.status for result in results) == [200, 200, 400]
