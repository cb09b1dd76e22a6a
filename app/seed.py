"""The demo data: what a newcomer needs to try all eight use cases."""

import uuid

from app.carry_out import Command, carry_out
from app.services.errors import StartError
from app.settings import Settings
from streams import wire
from streams.codec import key_of

# The same data has the same ids, so that defining it again is a repeat and changes nothing.
_NAMESPACE = uuid.UUID("8a1f5d1c-6f1e-4a52-9c1d-fa1711e0c0de")

_PRODUCTS = (
    ("Americano", 4_500),
    ("Caffe latte", 5_000),
    ("Jeju green tea", 5_500),
    ("Hallabong juice", 6_500),
    ("Salt bread", 3_200),
    ("Red bean bun", 2_800),
    ("Honey castella", 8_900),
    ("Injeolmi cake", 6_800),
    ("Roasted seaweed", 4_900),
    ("Gochujang jar", 9_800),
    ("Kimchi, 1 kg", 13_900),
    ("Rice, 4 kg", 18_900),
    ("Ceramic mug", 15_000),
    ("Desk lamp", 39_000),
    ("Wireless mouse", 29_900),
    ("Mechanical keyboard", 129_000),
    ("Noise-cancelling headphones", 249_000),
    ("Umbrella", 12_000),
    ("Canvas tote", 18_000),
    ("Concert light stick", 45_000),
)
_COUPONS = (("WELCOME", 10_000, 1_000), ("RUSH100", 100, 5_000))


def demo_commands() -> list[Command]:
    """Return the commands that define the demo data, with their ids."""
    payloads: list[wire.Shape] = [
        wire.DefineProduct(product_id=number, name=name, price=price, stock=1_000)
        for number, (name, price) in enumerate(_PRODUCTS, start=1)
    ]
    payloads += [
        wire.DefineCoupon(coupon_code=code, total=total, discount_amount=amount)
        for code, total, amount in _COUPONS
    ]
    return [
        Command(
            uuid.uuid5(_NAMESPACE, f"{type(payload).__name__}/{key_of(payload).decode()}"), payload
        )
        for payload in payloads
    ]


async def seed(settings: Settings) -> None:
    """Define the demo data through commands, and wait until a worker has applied them.

    Raises StartError where none does.
    """
    for outcome in await carry_out(settings, demo_commands()):
        if outcome.status != 200:
            message = f"the demo data was refused: {outcome.body}"
            raise StartError(message)
