"""Records that come again: the marks decide, not the offsets that Kafka keeps."""

from collections import Counter
from collections.abc import Sequence

from streams import wire
from tests.client import Listener, Producer, Sent, eventually
from tests.installation import Installation
from tests.scenario import buy, define_shop


async def shop_and_bad_record(producer: Producer, listener: Listener) -> list[Sent]:
    """Every kind of command, a refusal, a repeat, and a record that is no command."""
    sent = await define_shop(producer, listener)
    for user_id in (1, 2):
        sent += await buy(producer, listener, user_id)
    sent.append(await producer.send(wire.IssueCoupon(1, "NONE")))
    sent.append(await producer.send(wire.ChargeBalance(0, 5)))
    await listener.results_of(sent)
    return sent


async def assert_heard_twice(heard: Sequence[object], count: int) -> None:
    """Each of so many was published twice, the same to the letter, its id with it."""
    await eventually(lambda: len(heard) == 2 * count, f"{count} twice")
    texts = Counter(repr(one) for one in heard)
    assert list(texts.values()) == [2] * count


async def test_records_that_come_again_change_nothing_and_are_published_again(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener):
        async with installation.worker():
            sent = await shop_and_bad_record(producer, listener)
        before = await installation.state()
        await installation.move_group(dict.fromkeys(installation.command_partitions, 0))
        async with installation.worker():
            second = await listener.results_of(sent, nth=2)
            await assert_heard_twice(listener.payments, 2)
            await assert_heard_twice(listener.sales, 4)
            await assert_heard_twice(listener.letters, 1)
    assert await installation.state() == before
    assert second == [listener.results_at(one.place)[0] for one in sent]
