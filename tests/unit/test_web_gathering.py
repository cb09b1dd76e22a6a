"""Gathered loads: few queries, each answer as fresh as one of its own."""

import asyncio
from collections.abc import Sequence

import pytest

from web.gathering import Gathering


class Store:
    """Answers with its current version; each load can be held up."""

    def __init__(self) -> None:
        self.loads: list[list[int]] = []
        self.version = 1
        self.open = asyncio.Event()
        self.fault: Exception | None = None

    async def load(self, keys: Sequence[int]) -> dict[int, int]:
        self.loads.append(sorted(keys))
        version = self.version
        await self.open.wait()
        if self.fault:
            raise self.fault
        return {key: version for key in keys if key > 0}


async def turn() -> None:
    """Let everything that can go on go on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_comes_while_a_load_runs_is_in_the_next_one() -> None:
    store = Store()
    gathering: Gathering[int, int] = Gathering(store.load)
    first = asyncio.create_task(gathering.get(1))
    await turn()
    later = [asyncio.create_task(gathering.get(key)) for key in (2, 1, 2, -3)]
    await turn()
    store.version = 2
    store.open.set()
    assert await first == 1
    assert await asyncio.gather(*later) == [2, 2, 2, None]
    assert store.loads == [[1], [-3, 1, 2]]


async def test_a_failed_load_fails_those_who_asked_for_it_alone() -> None:
    store = Store()
    store.fault = OSError("away")
    store.open.set()
    gathering: Gathering[int, int] = Gathering(store.load)
    for answer in await asyncio.gather(gathering.get(1), gathering.get(2), return_exceptions=True):
        assert isinstance(answer, OSError)
    store.fault = None
    assert await gathering.get(1) == 1


async def test_one_who_leaves_takes_nobody_along() -> None:
    store = Store()
    gathering: Gathering[int, int] = Gathering(store.load)
    leaving, staying = (asyncio.create_task(gathering.get(1)) for _ in range(2))
    await turn()
    leaving.cancel()
    store.open.set()
    assert await staying == 1
    with pytest.raises(asyncio.CancelledError):
        await leaving
