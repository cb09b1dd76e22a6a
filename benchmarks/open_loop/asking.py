"""The generator in a process of its own: a load at a fixed rate, as a round sends it."""

import asyncio
import sys

import msgspec

from benchmarks.load import PRODUCTS, USERS, Load
from benchmarks.open_loop.sender import Heard, Plan
from benchmarks.rounds import Sending


def at_rate(
    rate: float, users: int = USERS, products: int = PRODUCTS, *, evenly: bool = False
) -> Sending:
    """Return what sends a load at so many requests per second."""

    async def sending(load: Load) -> Heard:
        plan = Plan(
            url=load.url,
            work=load.work,
            rate=rate,
            seconds=load.seconds,
            seed=load.round_number,
            users=users,
            products=products,
            code=load.code,
            connections=load.connections,
            evenly=evenly,
        )
        return await ask(plan)

    return sending


async def ask(plan: Plan) -> Heard:
    """Let the generator carry out a plan. Raises RuntimeError where it leaves with an error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.open_loop.sender"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await process.communicate(msgspec.json.encode(plan))
    finally:
        # After Ctrl-C it would go on loading a server that is about to stop.
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        message = f"the generator left with {process.returncode}"
        raise RuntimeError(message)
    return msgspec.json.decode(output, type=Heard)
