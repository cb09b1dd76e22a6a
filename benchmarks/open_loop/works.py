"""The works as requests: what is sent next, and what an answer leads to.

They are those of `posts.lua`, and reads by themselves. A seed draws users and products.
"""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

ISSUED_TO = 1_000_000
"""Issues of a coupon go to so many users, each once, in an order that looks like chance."""
_STEP = 7_919
COLLECTOR = 9_000_000_001
"""A user who holds many coupons, where somebody has seen to that."""


@dataclass(frozen=True)
class Shop:
    """Who and what there is: users and products are numbered from 1."""

    users: int
    products: int
    code: str
    prefix: str = ""
    """Of every path: the lock per request serves each of its policies below one of its own."""


class Work:
    """Makes the requests of one work, one after the other."""

    def __init__(self, name: str, shop: Shop, seed: int) -> None:
        self._shop = shop
        self._chance = random.Random(seed)
        self._issued = itertools.count()
        self._unpaid: list[bytes] = []
        # Zipf: the n-th product sells 1/n as often as the first.
        pieces = (1 / number for number in range(1, shop.products + 1))
        self._pieces_up_to = list(itertools.accumulate(pieces))
        self.next: Callable[[], bytes] = getattr(self, f"_{name}")
        self.listens = name == "orders"
        """Whether answers lead to requests: `hear` is called only then."""

    def hear(self, body: bytes) -> None:
        """Take an order that was made: it is paid before another one is made."""
        told = msgspec.json.decode(body)
        if told.get("status") == "PENDING":
            named = {"userId": told["userId"], "orderId": told["orderId"]}
            self._unpaid.append(msgspec.json.encode(named))

    def _charge(self) -> bytes:
        return self._post("/api/v1/balance/charge", {"userId": self._user(), "amount": 7})

    def _coupon(self) -> bytes:
        user = 1 + next(self._issued) * _STEP % ISSUED_TO
        return self._post("/api/v1/coupons/issue", {"userId": user, "couponCode": self._shop.code})

    def _orders(self) -> bytes:
        if self._unpaid:
            return self._post("/api/v1/orders/pay", self._unpaid.pop())
        items = [{"productId": self._product(), "quantity": 1}]
        return self._post("/api/v1/orders", {"userId": self._user(), "items": items})

    def _mixed(self) -> bytes:
        """60 % charges, 10 % issues of one hot coupon, 30 % reads."""
        drawn = self._chance.random()
        if drawn < 0.6:
            return self._charge()
        if drawn < 0.7:
            return self._coupon()
        return self._balance() if drawn < 0.85 else self._get("coupons", self._user())

    def _balance(self) -> bytes:
        return self._get("balance", self._user())

    def _coupons(self) -> bytes:
        return self._get("coupons", COLLECTOR)

    def _top(self) -> bytes:
        return f"GET {self._shop.prefix}/api/v1/products/top HTTP/1.1{_HOST}\r\n".encode()

    def _user(self) -> int:
        return self._chance.randint(1, self._shop.users)

    def _product(self) -> int:
        numbers = range(1, self._shop.products + 1)
        return self._chance.choices(numbers, cum_weights=self._pieces_up_to)[0]

    def _get(self, what: str, user: int) -> bytes:
        path = f"{self._shop.prefix}/api/v1/{what}?userId={user}"
        return f"GET {path} HTTP/1.1{_HOST}\r\n".encode()

    def _post(self, path: str, said: dict[str, object] | bytes) -> bytes:
        body = said if isinstance(said, bytes) else msgspec.json.encode(said)
        line = f"POST {self._shop.prefix}{path} HTTP/1.1{_HOST}"
        head = f"{line}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


_HOST = "\r\nHost: 127.0.0.1\r\n"
READS = ("balance", "coupons", "top")
