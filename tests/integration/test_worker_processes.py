"""Workers that come and go under load: nothing is lost, nothing is doubled, order is kept."""

import asyncio
from contextlib import AsyncExitStack
from signal import SIGCONT, SIGSTOP

from tests.installation import Installation
from tests.scenario import say
from tests.traffic import COUPON, assert_nothing_lost_nothing_doubled, flowing


async def test_two_workers_share_the_work_and_one_is_stopped_in_the_middle(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener), AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(
                installation.process("worker", port_name="worker_port")
            )
            for _ in range(2)
        ]
        await asyncio.gather(*[worker.ready() for worker in workers])
        await say(producer, listener, COUPON)
        async with flowing(producer, per_second=200) as traffic:
            await listener.more(300)
            workers[0].child.ask()
            assert await workers[0].left() == 0
            await listener.more(300)
        history = await traffic.history()
        await assert_nothing_lost_nothing_doubled(installation, listener, history)


async def test_a_worker_killed_three_times_under_load(installation: Installation) -> None:
    # Kafka lets a member of this name go on at once; another would wait for a timeout.
    named = installation.with_settings(worker_name="one")
    async with installation.observed() as (producer, listener):
        async with named.process("worker", port_name="worker_port") as worker:
            await worker.ready()
            await say(producer, listener, COUPON)
        async with flowing(producer, per_second=200) as traffic:
            for _ in range(3):
                async with named.process("worker", port_name="worker_port") as worker:
                    await listener.more(300)
                    worker.child.process.kill()
                    await worker.left()
        history = await traffic.history()
        async with named.process("worker", port_name="worker_port"):
            await assert_nothing_lost_nothing_doubled(installation, listener, history)


async def test_a_worker_that_was_frozen_comes_back_to_partitions_that_are_not_its_own(
    installation: Installation,
) -> None:
    async with installation.observed() as (producer, listener), AsyncExitStack() as stack:
        frozen, other = [
            await stack.enter_async_context(
                installation.process("worker", port_name="worker_port")
            )
            for _ in range(2)
        ]
        await asyncio.gather(frozen.ready(), other.ready())
        await say(producer, listener, COUPON)
        async with flowing(producer, per_second=200) as traffic:
            await listener.more(300)
            frozen.child.process.send_signal(SIGSTOP)
            await traffic.more(200)
            # The other one has taken over its partitions once all of this is answered.
            await listener.results_of([said.sent for said in await traffic.history()])
            frozen.child.process.send_signal(SIGCONT)
            await listener.more(300)
        await assert_nothing_lost_nothing_doubled(installation, listener, await traffic.history())
