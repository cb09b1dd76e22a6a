"""The closed loop: sides in turn, A B A B, each connection sending when it was answered.

What a round has found is checked against the side's database (`benchmarks/rounds.py`).
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks.fairline import start_fairline
from benchmarks.load import Load
from benchmarks.peer.side import start_peers
from benchmarks.plans import AROUND_SECONDS, Turn
from benchmarks.progress import Progress
from benchmarks.rounds import Round, run_round
from benchmarks.services import Services
from benchmarks.sides import Side, temporary_database

WITH_A_COUPON = ("coupon", "mixed")


@asynccontextmanager
async def all_sides(
    services: Services, folder: Path, styles: Sequence[str]
) -> AsyncIterator[list[Side]]:
    """Fairline and the peers, ready; each with a database of its own on the same server."""
    async with AsyncExitStack() as started:
        ours = temporary_database(services.urls["database"], "bench_fairline")
        url = await started.enter_async_context(ours)
        sides: list[Side] = [
            await started.enter_async_context(start_fairline(services, url, folder))
        ]
        for style in styles:
            database = temporary_database(services.urls["database"], f"bench_{style}")
            url = await started.enter_async_context(database)
            peers = start_peers(services, url, folder, style)
            sides += await started.enter_async_context(peers)
        yield sides


async def measure(turns: Sequence[Turn], sides: Sequence[Side], progress: Progress) -> list[Round]:
    """Let the sides run in turn. Warm-ups are told and not returned."""
    rounds = []
    for turn in turns:
        for side in rotated([side for side in sides if turn.work in side.works], turn.number):
            code = f"HOT-{uuid.uuid4().hex[:8]}" if turn.work in WITH_A_COUPON else "-"
            if turn.work in WITH_A_COUPON:
                await side.open_coupon(code)
            load = Load(turn.work, side.url, turn.connections, turn.seconds, turn.number, code)
            others = [other for other in sides if other is not side]
            rounds.append(await run_round(side, others, load))
            progress.step(turn.seconds + AROUND_SECONDS, line_of(rounds[-1]))
    return [each for each in rounds if each.number]


def rotated(sides: list[Side], number: int) -> list[Side]:
    """Another one begins in each round, so that none is always the one that comes after ours."""
    first = number % len(sides) if sides else 0
    return sides[first:] + sides[:first]


def line_of(done: Round) -> str:
    """What is said of a round while others go on."""
    what = f"{done.work:6} {done.connections:3} conn. {done.side:22}"
    which = f"round {done.number}" if done.number else "warm-up"
    statuses = ", ".join(f"{count} x {status}" for status, count in done.answers.statuses.items())
    figures = f"{done.per_second:8,.0f}/s, p99 {done.answers.p99_ms:6,.0f} ms ({statuses})"
    return "; ".join([f"{what} {which}: {figures}", *done.faults])
