"""A worker whose consumer has lost a part of itself says so, and so its process leaves."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from streams.worker import CommandWorker
from tests.client import eventually
from tests.installation import Installation


async def reason_of(failed: "asyncio.Task[str]") -> str:
    """Wait until the worker says why it has failed."""
    await eventually(failed.done, "a worker that notices")
    return failed.result()


def thread_of(worker: CommandWorker) -> Any:
    return worker._app.consumer._thread


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (lambda consumer: consumer._coordinator._coordination_task, "part in its group"),
        (lambda consumer: consumer._fetcher._fetch_task, "fetching"),
    ],
)
async def test_a_task_of_the_consumer_that_ends_is_noticed(
    installation: Installation, part: Any, told: str
) -> None:
    async with installation.worker() as worker:
        failed = asyncio.create_task(worker.failed())
        thread = thread_of(worker)
        thread.thread_loop.call_soon_threadsafe(part(thread._consumer).cancel)
        assert (await reason_of(failed)).startswith(f"the consumer's {told} has ended")


async def test_a_group_that_refuses_the_consumer_is_noticed(installation: Installation) -> None:
    async with installation.worker() as worker:
        failed = asyncio.create_task(worker.failed())
        thread = thread_of(worker)

        async def refuse() -> None:
            coordinator = thread._consumer._coordinator
            # As its heartbeat does where the broker answers with what a client cannot mend.
            await coordinator._push_error_to_user(KafkaError("not you"))

        asyncio.run_coroutine_threadsafe(refuse(), thread.thread_loop)
        assert "KafkaError('not you')" in await reason_of(failed)
