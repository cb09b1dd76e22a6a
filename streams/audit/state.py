"""The passes over the state: balances, coupons, orders, products, command ids, dead letters."""

from collections.abc import Iterator
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
    async for wallets, entries in audit.walk_purses(connection):
        held: dict[int, Wallet] = {wallet.user_id: wallet for wallet in wallets}
        for wallet, purse in _purses(held, entries, books):
            books.note(BALANCES, purse.close(wallet))
        books.advance("balance_entries", len(entries))


def _purses(
    held: dict[int, Wallet], entries: list[BalanceEntry], books: Books
) -> Iterator[tuple[Wallet | None, Purse]]:
    """Fill each user's purse; entries come in the order of users, then of the log."""
    purse: Purse | None = None
    for entry in entries:
        if purse is None or purse.user_id != entry.user_id:
            if purse is not None:
                yield held.pop(purse.user_id, None), purse
            purse = Purse(entry.user_id)
        books.note(RUNNING_BALANCES, purse.add(entry))
        books.accounts.second(ENTRIES, [facts.moved(entry)])
        books.accounts.first(PAYMENTS, facts.taken_by(entry))
    if purse is not None:
        yield held.pop(purse.user_id, None), purse
    for wallet in held.values():
        yield wallet, Purse(wallet.user_id)


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
