"""The generator in a process of its own: a load at a fixed rate, as a round sends it."""

from benchmarks.asking import ask_child
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
        return await ask_child("benchmarks.open_loop.sender", plan, Heard)

    return sending
