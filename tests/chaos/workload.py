"""What clients will send: a plan drawn from a seed alone. No input or output here.

Content that only an answer can tell, such as an order's id, stands in the plan as a reference to
an earlier attempt, and is put in when it is sent.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from uuid import UUID

from tests.chaos.poison import KINDS as POISON_KINDS

PRODUCTS = [{"productId": n, "stock": 300, "price": 200 * n} for n in range(1, 13)]
COUPONS = [
    {"couponCode": f"HOT-{n}", "total": 20 * n, "discountAmount": 100 * n} for n in range(1, 4)
]
USERS = 400
SETUP = "setup"
CLIENTS = {"http": 8, "kafka": 2}
RECENT = 400
"""So many of the latest commands may be sent again, paid for, or cancelled."""

# Relative weights of the commands that are new.
WEIGHTS = {
    "ChargeBalance": 30,
    "IssueCoupon": 22,
    "CreateOrder": 24,
    "PayOrder": 16,
    "CancelOrder": 5,
    "CreditBalance": 2,
    "PauseCoupon": 1,
    "RestockProduct": 2,
    "DefineCoupon": 1,
}
PATHS = {
    "ChargeBalance": "/api/v1/balance/charge",
    "IssueCoupon": "/api/v1/coupons/issue",
    "CreateOrder": "/api/v1/orders",
    "PayOrder": "/api/v1/orders/pay",
    "CancelOrder": "/api/v1/orders/cancel",
}
"""Commands that are sent to a route; the others are Kafka's alone here."""
TOPICS = {
    "ChargeBalance": "user-commands",
    "CreateOrder": "user-commands",
    "PayOrder": "user-commands",
    "CancelOrder": "user-commands",
    "CreditBalance": "user-commands",
    "IssueCoupon": "coupon-commands",
    "DefineCoupon": "coupon-commands",
    "PauseCoupon": "coupon-commands",
    "DefineProduct": "catalog-commands",
    "RestockProduct": "catalog-commands",
}
KEY_FIELDS = {
    "user-commands": "userId",
    "coupon-commands": "couponCode",
    "catalog-commands": "productId",
}


@dataclass(frozen=True)
class OrderOf:
    """The order that an earlier attempt has made, by its number."""

    number: int


@dataclass(frozen=True)
class CouponOf:
    """The id of the coupon that an earlier attempt was issued a copy of."""

    number: int


@dataclass(frozen=True)
class Planned:
    """One attempt of the plan."""

    number: int
    channel: str
    client: str
    type: str
    payload: dict[str, Any]
    id: UUID
    """The command id on Kafka; over HTTP the idempotency key."""
    retry_of: int | None = None
    crosses: bool = False
    """It went over HTTP first, and is sent again straight to Kafka."""


@dataclass(frozen=True)
class Shares:
    """How the attempts are shared out."""

    poison: float = 0.05
    retries: float = 0.6
    kafka: float = 0.4


class Workload:
    """Draws attempts without end."""

    def __init__(self, seed: int, shares: Shares) -> None:
        self._random = Random(seed)
        self._shares = shares
        self._recent: deque[Planned] = deque(maxlen=RECENT)
        self._orders: deque[Planned] = deque(maxlen=RECENT)
        self._issues: deque[Planned] = deque(maxlen=RECENT)
        self._charged: deque[int] = deque(maxlen=RECENT)
        self._totals = {str(c["couponCode"]): int(str(c["total"])) for c in COUPONS}
        self._number = 0

    def setup(self) -> list[Planned]:
        """List what is defined before anything else."""
        products = [
            self._plan("kafka", "DefineProduct", {**each, "name": f"Thing {each['productId']}"})
            for each in PRODUCTS
        ]
        coupons = [self._plan("kafka", "DefineCoupon", dict(each)) for each in COUPONS]
        return [replace(each, client=SETUP) for each in products + coupons]

    def attempts(self) -> Iterator[Planned]:
        """Draw one attempt after the other."""
        while True:
            yield self._draw()

    def poison(self) -> Planned:
        """Draw a record that is no command."""
        return self._plan("kafka", "Poison", {"kind": self._random.choice(POISON_KINDS)})

    def _draw(self) -> Planned:
        if self._random.random() < self._shares.poison:
            return self.poison()
        if self._recent and self._random.random() < self._shares.retries:
            return self._again(self._random.choice(self._recent))
        planned = self._new()
        self._recent.append(planned)
        if planned.type == "CreateOrder":
            self._orders.append(planned)
        if planned.type == "IssueCoupon":
            self._issues.append(planned)
        return planned

    def _again(self, first: Planned) -> Planned:
        # What came over HTTP is sometimes sent again by another service, straight to Kafka.
        crosses = first.channel == "http" and self._random.random() < 0.15
        channel = "kafka" if crosses else first.channel
        return Planned(
            number=self._next(),
            channel=channel,
            client=self._client(channel),
            type=first.type,
            payload=first.payload,
            id=first.id,
            retry_of=first.number,
            crosses=crosses,
        )

    def _new(self) -> Planned:
        kind = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if kind in ("PayOrder", "CancelOrder") and not self._orders:
            kind = "CreateOrder"
        direct = kind not in PATHS or self._random.random() < self._shares.kafka
        payload = getattr(self, f"_{kind}")()
        return self._plan("kafka" if direct else "http", kind, payload)

    def _plan(self, channel: str, kind: str, payload: dict[str, Any]) -> Planned:
        uuid = UUID(int=self._random.getrandbits(128), version=4)
        return Planned(self._next(), channel, self._client(channel), kind, payload, uuid)

    def _client(self, channel: str) -> str:
        return f"{channel}-{self._random.randint(1, CLIENTS[channel])}"

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _user(self) -> int:
        # A few users are busy: their commands meet in one batch.
        few = self._random.random() < 0.3
        return self._random.randint(1, 10 if few else USERS)

    def _ChargeBalance(self) -> dict[str, Any]:  # noqa: N802 - named for the command.
        large = self._random.random() < 0.05
        most = 900_000 if large else 60_000
        user = self._user()
        self._charged.append(user)
        return {"userId": user, "amount": self._random.randint(1, most)}

    def _CreditBalance(self) -> dict[str, Any]:  # noqa: N802
        return {**self._ChargeBalance(), "reason": "a run with faults"}

    def _PauseCoupon(self) -> dict[str, Any]:  # noqa: N802
        code = self._random.choice(list(self._totals)[-4:])
        return {"couponCode": code, "reason": "a run", "paused": self._random.random() < 0.4}

    def _IssueCoupon(self) -> dict[str, Any]:  # noqa: N802
        code = self._random.choice(list(self._totals)[-4:])
        return {"userId": self._random.randint(1, USERS), "couponCode": code}

    def _DefineCoupon(self) -> dict[str, Any]:  # noqa: N802
        code = self._random.choice(list(self._totals)[-4:])
        if self._random.random() < 0.3:
            code = f"HOT-{len(self._totals) + 1}"
        # Sold out at once, and raised again and again.
        self._totals[code] = total = self._totals.get(code, 0) + self._random.randint(5, 40)
        return {"couponCode": code, "total": total, "discountAmount": 500}

    def _RestockProduct(self) -> dict[str, Any]:  # noqa: N802
        product = self._random.choice(PRODUCTS)["productId"]
        return {"productId": product, "quantity": self._random.randint(1, 60)}

    def _CreateOrder(self) -> dict[str, Any]:  # noqa: N802
        number = self._random.choices((1, 2, 3), (6, 3, 1))[0]
        chosen = self._random.sample(PRODUCTS, number)
        items = [
            {"productId": each["productId"], "quantity": self._random.randint(1, 4)}
            for each in chosen
        ]
        if self._issues and self._random.random() < 0.4:
            issue = self._random.choice(self._issues)
            user = issue.payload["userId"]
            return {"userId": user, "items": items, "couponId": CouponOf(issue.number)}
        # Mostly somebody who can pay.
        is_able = bool(self._charged) and self._random.random() < 0.8
        user = self._random.choice(self._charged) if is_able else self._user()
        return {"userId": user, "items": items}

    def _PayOrder(self) -> dict[str, Any]:  # noqa: N802
        order = self._random.choice(self._orders)
        return {"userId": order.payload["userId"], "orderId": OrderOf(order.number)}

    _CancelOrder = _PayOrder
