"""A flood of poison from one producer: it is told, and nobody else notices."""

import asyncio
from typing import Any

from aiohttp import ClientSession

from streams import wire
from streams.dead_letter_alarm import Thresholds
from tests.client import Listener, Producer, Raw, eventually
from tests.installation import Installation, Process

FLOOD = 60
OTHERS = range(1, 9)


async def seen(process: Process, path: str) -> tuple[int, Any]:
    """What the worker says of itself."""
    async with ClientSession() as client, client.get(process.url + path) as response:
        is_json = "json" in response.content_type
        return response.status, await (response.json() if is_json else response.text())


async def alarm_of(process: Process) -> str | None:
    status, body = await seen(process, "/readyz")
    assert status == 200, body
    line: str | None = body.get("alarms", {}).get("deadLetters")
    return line


async def flood(installation: Installation, producer: Producer) -> None:
    """Poison of one producer, as fast as it goes, into one partition."""
    for _ in range(FLOOD):
        await producer.send_raw(installation.topics.user_commands, Raw(b"7", b"poison", 0))


async def charge_others(producer: Producer, listener: Listener, rounds: int) -> None:
    """Commands of other users, each of which succeeds."""
    charges: list[wire.Shape] = [wire.ChargeBalance(user_id, 1) for user_id in OTHERS]
    results = await listener.results_of(await producer.send_all(charges * rounds))
    assert {result.status for result in results} == {200}


async def test_a_flood_of_poison_is_told_and_stops_nobody(installation: Installation) -> None:
    async with (
        installation.observed() as (producer, listener),
        installation.process("worker", port_name="worker_port") as process,
    ):
        await process.ready()
        assert await alarm_of(process) is None
        await asyncio.gather(
            flood(installation, producer), charge_others(producer, listener, rounds=10)
        )
        line = await eventually(lambda: alarm_of(process), "the alarm")
        assert "too many dead letters" in line
        await eventually(lambda: counted(process), "the metric")
        # Half of what raises it ends it: good records make up for the bad ones.
        rounds = int(FLOOD * 100 / (Thresholds().percent_max / 2) / len(OTHERS))
        await charge_others(producer, listener, rounds)
        await eventually(lambda: has_ended(process), "the end of the alarm")
    log = process.log.read_text()
    assert log.count("too many dead letters: ") == 1
    assert log.count("no longer too many") == 1
    paid = await installation.query("SELECT DISTINCT balance FROM wallets")
    assert paid == [(10 + rounds,)]


async def counted(process: Process) -> bool:
    """Whether the worker's metrics tell of the flood and of the alarm."""
    _, metrics = await seen(process, "/metrics")
    letters = f'fairline_dead_letters_total{{reason="UNDECODABLE"}} {FLOOD}.0'
    return letters in metrics and 'fairline_alarm{name="deadLetters"} 1.0' in metrics


async def has_ended(process: Process) -> bool:
    return await alarm_of(process) is None
