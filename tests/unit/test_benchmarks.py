"""The benchmarks' own arithmetic: what counts as done, what is a fault, what is paired."""

import asyncio
import os

import pytest
from aiohttp import web

from benchmarks import client, rounds, soak
from benchmarks.cpu import cpu_seconds
from benchmarks.ledger import Applied
from benchmarks.load import Answers


def answers(done: int, **others: int) -> Answers:
    statuses = {"200": done} | {name.removeprefix("s"): n for name, n in others.items()}
    return Answers(2.0, statuses, 0, p50_ms=1.0, p99_ms=2.0, max_ms=3.0)


@pytest.mark.parametrize("applied", [100, 164])
def test_requests_cut_off_at_the_end_may_be_applied_or_not(applied: int) -> None:
    assert rounds._faults(answers(100), applied, Applied(applied, True), 64) == []


@pytest.mark.parametrize("applied", [0, 99, 165])
def test_answers_that_the_database_does_not_bear_out_are_a_fault(applied: int) -> None:
    assert rounds._faults(answers(100), applied, Applied(applied, True), 64)


def test_an_answer_of_later_may_be_applied_but_does_not_count_as_done() -> None:
    late = answers(100, s202=10)
    assert rounds._faults(late, 174, Applied(174, True), 64) == []
    assert late.accepted == 100


def test_an_answer_to_a_read_is_done_and_is_not_looked_for_in_the_database() -> None:
    mixed = answers(130)
    mixed.reads = 30
    assert rounds._faults(mixed, 100, Applied(100, True), 1) == []
    assert rounds._faults(mixed, 130, Applied(130, True), 1)


def test_sums_that_do_not_agree_are_a_fault() -> None:
    assert rounds._faults(answers(100), 100, Applied(100, False), 64)


def test_nothing_done_is_a_fault() -> None:
    assert rounds._faults(answers(0, s429=100), 0, Applied(0, True), 64)


def test_cpu_time_counts_a_whole_tree_of_processes() -> None:
    used = cpu_seconds({"us": os.getpid(), "gone": 2**22 + 1})
    assert used["us"] > 0
    assert used["gone"] == 0


async def test_our_client_keeps_its_connections_busy_and_counts_every_status() -> None:
    seen: list[int] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((await request.json())["userId"])
        return web.json_response({}, status=200 if len(seen) % 2 else 429)

    app = web.Application()
    app.router.add_post("/api/v1/coupons/issue", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = "http://{}:{}".format(*runner.addresses[0])
    found = await client.run(url, 4, 0.5, client.issues("HOT"))
    await asyncio.shield(runner.cleanup())
    assert found.accepted > 4
    assert abs(found.accepted - found.statuses["429"]) <= 1
    assert sorted(seen) == list(range(1, len(seen) + 1))


def test_growth_is_the_slope_of_an_hour_whatever_it_began_with() -> None:
    readings = [soak.Reading(s, {"edge": 100.0 + s / 1800}) for s in range(0, 3600, 60)]
    assert soak.growth_per_hour(readings, "edge") == pytest.approx(2.0)


def test_a_pause_makes_up_for_what_the_last_one_has_led_to() -> None:
    # 64 connections at 640/s go round in 100 ms: 70 of pause, 30 until the answer.
    assert soak.next_pause_ms(70, measured_per_second=640, wanted_per_second=640) == 70
    assert soak.next_pause_ms(70, measured_per_second=640, wanted_per_second=320) == 170
    assert soak.next_pause_ms(0, measured_per_second=640, wanted_per_second=6400) == 0
