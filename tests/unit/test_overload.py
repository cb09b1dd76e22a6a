"""The overload's own arithmetic, and its crowd: who comes back when told, and what is counted."""

from collections import Counter
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from benchmarks.machine import circumstances
from benchmarks.overload.__main__ import options_of, parse
from benchmarks.overload.measuring import SMOKE, Found, Options, Reading, _faults
from benchmarks.overload.report import to_markdown
from benchmarks.overload.visitors import Crowd, Plan, Seen

PLAN = Plan("", rate=100.0, seconds=0.3, seed=1, patience_seconds=20.0, connections=100)
Serve = Callable[[int], web.Response]


class Door:
    """Answers each visitor by how often he has come."""

    def __init__(self) -> None:
        self.answer: Serve = lambda _times: web.Response()
        self.times: Counter[int] = Counter()

    async def charge(self, request: web.Request) -> web.Response:
        user = msgspec.json.decode(await request.read())["userId"]
        self.times[user] += 1
        return self.answer(self.times[user])


@pytest_asyncio.fixture
async def door() -> AsyncIterator[Door]:
    door, app = Door(), web.Application()
    app.router.add_post("/api/v1/balance/charge", door.charge)
    async with TestServer(app) as server:
        PLAN.url = str(server.make_url("/"))
        yield door


async def seen() -> Seen:
    crowd = Crowd(PLAN)
    await crowd.visit()
    return crowd.seen(1.0)


async def test_the_capacity_is_asked_for_by_whoever_was_answered(door: Door) -> None:
    crowd = Crowd(msgspec.structs.replace(PLAN, rate=0.0, connections=4))
    await crowd.visit()
    found = crowd.seen(1.0)
    assert found.statuses["200"] == sum(door.times.values()) > 4
    assert set(door.times.values()) == {1}


def refused(seconds: int | None) -> web.Response:
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    return web.json_response({}, status=429, headers=headers)


async def test_who_is_served_at_once_was_told_nothing(door: Door) -> None:
    found = await seen()
    assert found.statuses == {"200": found.due}
    assert (found.refused, found.accepted_meanwhile > 0, found.broken) == (0, True, 0)
    assert set(door.times.values()) == {1}


async def test_who_is_refused_comes_back_when_told_and_is_counted_as_told_right(
    door: Door,
) -> None:
    door.answer = lambda times: refused(1) if times == 1 else web.Response()
    found = await seen()
    assert found.statuses == {"429": found.due, "200": found.due}
    assert found.refused == found.returned == found.due
    assert found.told_max_seconds == 1
    assert found.accepted_meanwhile == 0


async def test_who_is_refused_again_and_again_was_told_wrong(door: Door) -> None:
    door.answer = lambda times: refused(1) if times <= 3 else web.Response()
    found = await seen()
    assert (found.returned, found.right) == (found.due, 0)


async def test_a_refusal_without_a_time_is_counted(door: Door) -> None:
    door.answer = lambda _times: refused(None)
    found = await seen()
    assert (found.untold, found.refused) == (found.due, 0)


def overload(**changes: float) -> Found:
    counted = {"due": 3_000, "refused": 2_000, "untold": 0, "returned": 2_000, "right": 1_900}
    numbers = {**counted, "accepted_meanwhile": 900, "p99_ms": 2_500.0, **changes}
    rest = {"broken": 0, "p50_ms": 1.0, "max_ms": 2.0, "queued": 0, "cpu_us": 1.0}
    told = {"told_p50_seconds": 4.0, "told_max_seconds": 9.0, "late_p99_ms": 1.0}
    shape = {"seconds": 20.0, "statuses": {"200": 3_000, "429": 2_000}, **rest, **told}
    readings = [Reading(float(s), {"edge": 100.0 + s, "worker": 90.0}) for s in range(20)]
    return Found(
        circumstances=circumstances("a test"),
        capacity_per_second=100.0,
        times=3.0,
        load_seconds=10.0,
        seen=msgspec.convert({**shape, **numbers}, Seen),
        readings=readings,
        cpu_seconds={},
        faults=[],
    )


def test_goals_that_are_met_and_that_are_missed() -> None:
    assert overload().shortfalls() == []
    assert "All goals are met." in to_markdown(overload())
    assert overload().growth_mb("edge") == 14.0
    assert overload(accepted_meanwhile=690).shortfalls() == ["goodput 69% < 70%"]
    assert overload(p99_ms=3_001.0).shortfalls() == ["p99 3001 ms > 3000 ms"]
    assert overload(right=1_790).shortfalls() == ["estimates right 90% < 90%"]
    assert overload(untold=1).shortfalls() == ["1 refusals without Retry-After"]
    assert "Missed: goodput" in to_markdown(overload(accepted_meanwhile=1))


def test_a_generator_that_could_not_keep_up_makes_a_run_worthless() -> None:
    assert _faults(overload().seen) == []
    assert _faults(overload(late_p99_ms=900.0).seen)
    assert _faults(overload(broken=1).seen)


def test_the_command_line_names_what_differs() -> None:
    assert options_of(parse([])) == Options()
    assert options_of(parse(["--smoke"])) == SMOKE
    assert options_of(parse(["--seconds", "5", "--times", "2"])) == Options(times=2.0, seconds=5.0)
