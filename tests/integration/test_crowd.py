"""More come than can be served: all are told when to come back, and are served when they do."""

import asyncio

import pytest

from benchmarks.asking import ask_child
from benchmarks.overload.visitors import Plan, Seen
from tests.installation import Installation, Process

STOP_SECONDS_MAX = 20


@pytest.mark.timeout(400)
async def test_everybody_in_a_crowd_is_served_in_the_end(installation: Installation) -> None:
    running: list[Process] = []
    try:
        running += [
            installation.start("worker", port_name="worker_port"),
            installation.start("edge", port_name="http_port"),
        ]
        await asyncio.gather(*[process.ready() for process in running])
        # More than an edge does in a second, several times.
        plan = Plan(running[-1].url, rate=8_000.0, seconds=3.0, seed=5, patience_seconds=240.0)
        seen = await ask_child("benchmarks.overload.visitors", plan, Seen)
    finally:
        for process in running:
            process.child.stop(STOP_SECONDS_MAX)
    # 202 is a promise, for who waited so long that he was not to be kept any longer.
    kept = seen.statuses.get("200", 0) + seen.statuses.get("202", 0)
    assert (kept, seen.untold, seen.broken) == (seen.due, 0, 0)
    assert seen.refused > 0
    # Who was answered 503 comes again, and may be served twice: he did not say who he is.
    ((served, balances),) = await installation.query(
        "SELECT count(*), (SELECT sum(balance) FROM wallets) FROM command_log"
        " WHERE type = 'ChargeBalance' AND disposition = 'APPLIED'"
    )
    assert balances == 7 * served
    assert seen.due <= served <= seen.due + seen.statuses.get("503", 0)
