"""Whoever makes topics goes on once they can be used, and never as if they could."""

from typing import Any

import pytest
from aiokafka.errors import LeaderNotAvailableError

from streams import admin

Told = dict[str, Any]


def topic(name: str, *leaders: int, error: int = 0) -> Told:
    listed = [{"partition": n, "leader": leader} for n, leader in enumerate(leaders)]
    return {"topic": name, "error_code": error, "partitions": listed}


class Broker:
    """Tells of its topics, each time a little more; at last the same again and again."""

    def __init__(self, *told: list[Told]) -> None:
        self._told = list(told)

    async def describe_topics(self, _names: list[str]) -> list[Told]:
        return self._told.pop(0) if len(self._told) > 1 else self._told[0]


UNKNOWN = [topic("a", error=3), topic("b", error=3)]
HALF = [topic("a", 0, 0), topic("b", 0, -1)]
WHOLE = [topic("a", 0, 0), topic("b", 0, 0)]


async def test_a_topic_is_waited_for_until_each_partition_has_a_leader() -> None:
    broker = Broker(UNKNOWN, [], HALF, WHOLE)
    await admin._wait_for_leaders(broker, {"a", "b"})
    assert broker._told == [WHOLE]


@pytest.mark.parametrize(("told", "missing"), [(UNKNOWN, "a, b"), ([], "a, b"), (HALF, "b")])
async def test_a_topic_that_does_not_come_is_an_error(
    monkeypatch: pytest.MonkeyPatch, told: list[Told], missing: str
) -> None:
    monkeypatch.setattr(admin, "_LEADER_SECONDS_MAX", 0)
    with pytest.raises(LeaderNotAvailableError, match=f"no leader of {missing} in"):
        await admin._wait_for_leaders(Broker(told), {"a", "b"})
