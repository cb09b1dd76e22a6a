"""The passes over the state: balances, coupons, orders, products, command ids, dead letters."""

from itertools import chain

from sqlalchemy.ext.asyncio import AsyncConnection

from domain.audit import facts
from domain.audit.findings import (
    BALANCES,
    CLAIMS,
    COPIES,
    CREATED,
    DEAD_LETTERS,
    ENTRIES,
    EVENTS,
    ISSUES,
    ORDERS,
    PAID,
    PAYMENTS,
    RUNNING_BALANCES,
    SPENT,
    STOCK,
)
from domain.audit.state import Numbers, Purse, order_faults
from domain.entities import BalanceEntry, Coupon, Order, Wallet
from storage import audit
from streams.audit.books import Books


async def read_purses(connection: AsyncConnection, books: Books) -> None:
    """Hold wallets against their entries."""
    async for wallets, users in audit.walk_wallets(connection):
        purses = _Purses(wallets, books)
        async for entries in audit.walk_entries(connection, users):
            for entry in entries:
                purses.add(entry)
            books.advance("balance_entries", len(entries))
        purses.close()


class _Purses:
    """Fills the purses of a range of users, one after the other."""

    def __init__(self, wallets: list[Wallet], books: Books) -> None:
        self._held: dict[int, Wallet] = {wallet.user_id: wallet for wallet in wallets}
        self._books = books
        self._purse: Purse | None = None

    def add(self, entry: BalanceEntry) -> None:
        """Take the next entry, in the order of users, then of the log."""
        if self._purse is None or self._purse.user_id != entry.user_id:
            self._close_purse()
            self._purse = Purse(entry.user_id)
        books = self._books
        books.note(RUNNING_BALANCES, self._purse.add(entry))
        books.accounts.second(ENTRIES, [facts.moved(entry)])
        books.accounts.first(PAYMENTS, facts.taken_by(entry))

    def close(self) -> None:
        """Hold what is left against its wallets, those without entries too."""
        self._close_purse()
        for wallet in self._held.values():
            self._books.note(BALANCES, Purse(wallet.user_id).close(wallet))

    def _close_purse(self) -> None:
        if self._purse is not None:
            wallet = self._held.pop(self._purse.user_id, None)
            self._books.note(BALANCES, self._purse.close(wallet))


async def read_coupons(connection: AsyncConnection, books: Books) -> None:
    """Hold coupons against their copies."""
    async for coupons in audit.walk_coupons(connection):
        for coupon in coupons:
            await _read_copies(connection, books, coupon)


async def _read_copies(connection: AsyncConnection, books: Books, coupon: Coupon) -> None:
    numbers = Numbers(coupon)
    async for copies in audit.walk_copies(connection, coupon.coupon_id):
        for copy in copies:
            books.note(COPIES, numbers.add(copy))
            books.accounts.second(ISSUES, [facts.issued(copy)])
            books.accounts.first(SPENT, facts.spent_copy(copy))
        books.advance("user_coupons", len(copies))
    books.note(COPIES, numbers.close())


async def read_orders(connection: AsyncConnection, books: Books) -> None:
    """Hold orders against their lines, and tell what they say was paid, sold and spent."""
    async for orders in audit.walk_orders(connection):
        for order in orders:
            _look_at_order(order, books)
        books.advance("orders", len(orders))


def _look_at_order(order: Order, books: Books) -> None:
    books.note(ORDERS, order_faults(order))
    books.stock.hold(order)
    accounts = books.accounts
    accounts.second(CREATED, facts.created(order))
    accounts.second(PAID, facts.paid(order))
    accounts.second(EVENTS, facts.told(order))
    accounts.second(PAYMENTS, facts.taken_for(order))
    accounts.second(SPENT, facts.spent_for(order))


async def read_products(connection: AsyncConnection, books: Books) -> None:
    """Hold the stock against the log and the orders: when all of both have been read."""
    async for products in audit.walk_products(connection):
        for product in products:
            faults = books.stock.faults(product) if books.horizon.is_whole else ()
            books.note(STOCK, chain(faults, _debt(product.stock, product.product_id)))
        books.advance("products", len(products))
    if books.horizon.is_whole:
        for fault in books.stock.missing():
            books.findings.of(STOCK).violated(fault)


def _debt(stock: int, product_id: int) -> list[str]:
    return [f"product {product_id}: {stock} in stock"] if stock < 0 else []


async def read_claims(connection: AsyncConnection, books: Books) -> None:
    """Tell which first rows the command ids name."""
    tally = books.accounts.tally(CLAIMS)
    async for claims in audit.walk_claims(connection):
        for claim in claims:
            tally.take(repr(claim))
        books.advance("command_ids", len(claims))


async def read_letters(connection: AsyncConnection, books: Books) -> None:
    """Tell which records are dead letters."""
    tally = books.accounts.tally(DEAD_LETTERS)
    async for letters in audit.walk_letters(connection):
        for letter in letters:
            tally.take(repr(letter))
        books.advance("dead_letters", len(letters))
