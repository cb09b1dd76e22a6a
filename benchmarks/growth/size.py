"""How big a shop is, and what follows from that: every row is a formula of its number.

So each table is filled by itself, in any order and in parts, and all of them agree. The trade goes
in cycles of twenty commands: ten charges, four issues, three orders, and their payments.
"""

from dataclasses import dataclass
from math import gcd

CYCLE, CHARGES, ISSUES, ORDERS = 20, 10, 4, 3
STEP = 7_919
"""Users and products take turns in steps of this prime: neighbours in time are none by id."""
AMOUNT, PRICE, DISCOUNT = 100_000, 100, 50
"""What is charged, what a product costs, what a coupon is worth. Nobody ever owes anything."""
STOCK = 10**9
TOTAL = 1_000_000
"""Copies that there may be of each coupon."""
COLLECTED = 100
"""Of so many coupons one user holds a copy: the lists of most users are short, his is not."""
MS_EACH = 1_000
SPAN_MS_MAX = 71 * 3_600_000
"""All of it lies in the live window of the ranking."""


@dataclass(frozen=True)
class Size:
    """Users, products, coupons, and commands that were applied, as numbers of rows.

    `commands` are those of the trade; definitions of products and coupons come before them.
    """

    users: int
    products: int
    coupons: int
    commands: int

    def __post_init__(self) -> None:
        """Refuse numbers for which the formulas would not hold."""
        if self.users % CHARGES or gcd(self.users * self.products, STEP) != 1:
            message = f"users must be a multiple of {CHARGES}, and nothing one of {STEP}"
            raise ValueError(message)
        if self.commands % CYCLE or self.charges < self.users:
            message = f"commands must be a multiple of {CYCLE}, and give every user a charge"
            raise ValueError(message)
        if self.issues > self.coupons * self.users:
            message = "coupons must be so many that nobody gets a second copy"
            raise ValueError(message)

    def scaled(self, share: float) -> "Size":
        """Return a shop of this share, rounded to numbers for which the formulas hold."""
        users = max(CHARGES, round(self.users * share / CHARGES) * CHARGES)
        commands = round(self.commands * share / CYCLE) * CYCLE
        return Size(
            users=users,
            products=max(1, round(self.products * share)),
            coupons=max(1, round(self.coupons * share)),
            commands=max(commands, users * CYCLE // CHARGES),
        )

    @property
    def cycles(self) -> int:
        """How often the twenty commands come."""
        return self.commands // CYCLE

    @property
    def charges(self) -> int:
        """How many of the commands are charges."""
        return self.cycles * CHARGES

    @property
    def issues(self) -> int:
        """How many issue a copy of a coupon."""
        return self.cycles * ISSUES

    @property
    def orders(self) -> int:
        """How many create an order; as many pay for it."""
        return self.cycles * ORDERS

    @property
    def first(self) -> int:
        """The id of the trade's first command: definitions have those below."""
        return 1 + self.products + self.coupons

    @property
    def records(self) -> int:
        """All rows of the command log, which is their last id too."""
        return self.products + self.coupons + self.commands

    @property
    def span_ms(self) -> int:
        """So long ago it began: a second for each command, at most what the ranking looks at."""
        return min(SPAN_MS_MAX, self.records * MS_EACH)

    def rows(self) -> dict[str, int]:
        """Return how many rows each table gets."""
        return {
            "wallets": self.users,
            "products": self.products,
            "coupons": self.coupons,
            "balance_entries": self.charges + self.orders,
            "user_coupons": self.issues,
            "orders": self.orders,
            "order_lines": self.orders,
            "command_log": self.records,
            "command_ids": self.records,
        }


FULL = Size(users=1_000_000, products=100_000, coupons=100_000, commands=10_000_000)
EMPTY = Size(users=20_000, products=1_000, coupons=100, commands=40_000)
"""A shop on its first day: everybody has been charged once or twice, for without money, products
and coupons nothing could be measured."""
