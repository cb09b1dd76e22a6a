"""Loads and saves of every aggregate, the same on both databases."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import BalanceEntry, EntryKind, OrderStatus, Product, Wallet
from domain.ids import CouponCode, CouponId, OrderId, ProductId, UserId
from domain.needs import Needs
from domain.state import Change, State
from storage import schema
from storage.coupons import list_user_coupons, load_coupons
from storage.engine import Database
from storage.orders import load_orders
from storage.products import find_products, list_products, load_products
from storage.sets import one_of
from storage.state import load_state, save_state
from storage.wallets import load_moved, load_wallets
from tests.contract.conftest import written
from tests.worlds import (
    ANN,
    BOB,
    CODE,
    CUP,
    INT64_MAX,
    NOW_MS,
    ORDER_ID,
    TEA,
    command_id,
    copy,
    coupon,
    line,
    order,
    product,
    wallet,
)

EVERYTHING = Needs(
    wallets={ANN, BOB},
    products={TEA, CUP},
    coupons={CODE},
    orders={ORDER_ID},
    copies_by_user={ANN, BOB},
    writes_products=True,
)
ENTRY = BalanceEntry(ANN, command_id(1), EntryKind.CHARGE, 1_000, 1_000, NOW_MS)
PREVIEW = order([line(CUP, quantity=3), line(TEA)], discount=500)
SHOP: list[Change] = [
    wallet(1_000),
    product(TEA),
    product(CUP, stock=INT64_MAX),
    coupon(issued=1),
    copy(),
    PREVIEW,
]


async def save(database: Database, *changes: Change) -> None:
    """Load all that there is, change it as a batch does, and save it."""
    async with database.begin() as connection:
        state = await load_state(connection, EVERYTHING)
        state.apply(changes)
        await written(connection, save_state, state)


async def load(database: Database, needs: Needs = EVERYTHING) -> list[Change]:
    async with database.begin() as connection:
        return listed(await load_state(connection, needs))


def listed(state: State) -> list[Change]:
    tables = (state.wallets, state.products, state.coupons, state.user_coupons, state.orders)
    return [row for rows in tables for row in rows.loaded.values()]


async def test_an_empty_database_holds_nothing(database: Database) -> None:
    assert await load(database) == []


async def test_what_was_saved_is_loaded_whole(database: Database) -> None:
    await save(database, *SHOP)
    assert sorted(map(repr, await load(database))) == sorted(map(repr, SHOP))


async def test_what_changed_is_loaded_changed(database: Database) -> None:
    await save(database, *SHOP)
    changed: list[Change] = [
        wallet(300),
        wallet(5, BOB),
        Product(TEA, "Renamed", 7, 9),
        coupon(total=200, issued=2, valid_from_ms=NOW_MS, valid_until_ms=NOW_MS + 1),
        replace(copy(), used_at_ms=NOW_MS, order_id=ORDER_ID),
        replace(copy(user_id=BOB), user_coupon_id=command_id(2), number=2),
        replace(PREVIEW, status=OrderStatus.PAID, paid_at_ms=NOW_MS),
    ]
    await save(database, *changed)
    untouched = product(CUP, stock=INT64_MAX)
    assert sorted(map(repr, await load(database))) == sorted(map(repr, [*changed, untouched]))


async def test_a_cancelled_order_and_its_copy_are_loaded_so(database: Database) -> None:
    spent = replace(copy(), used_at_ms=NOW_MS, order_id=ORDER_ID)
    paid = replace(PREVIEW, status=OrderStatus.PAID, paid_at_ms=NOW_MS)
    await save(database, *SHOP[:-2], spent, paid)
    cancelled = replace(paid, status=OrderStatus.CANCELLED, cancelled_at_ms=NOW_MS + 1)
    await save(database, cancelled, copy())
    assert sorted(map(repr, await load(database))) == sorted(map(repr, [*SHOP[:-1], cancelled]))


async def test_each_movement_of_a_balance_is_a_row(database: Database) -> None:
    second = replace(ENTRY, command_id=command_id(2), kind=EntryKind.PAYMENT, amount=-400)
    third = replace(ENTRY, command_id=command_id(3), kind=EntryKind.REFUND, amount=400)
    await save(database, wallet(1_000), ENTRY)
    await save(database, wallet(600), second)
    await save(database, wallet(1_000), third)
    columns = [schema.balance_entries.c[name] for name in BalanceEntry.__dataclass_fields__]
    query = sa.select(*columns).order_by(schema.balance_entries.c.entry_id)
    async with database.connect() as connection:
        found = [BalanceEntry(*row) for row in await connection.execute(query)]
    assert found == [ENTRY, second, third]


async def test_movements_are_found_by_user_and_command(database: Database) -> None:
    second = replace(ENTRY, command_id=command_id(2), kind=EntryKind.PAYMENT, amount=-400)
    bobs = replace(ENTRY, user_id=BOB, command_id=command_id(3))
    await save(database, wallet(1_000), ENTRY, second, bobs)
    wanted = [(ANN, ENTRY.command_id), (BOB, command_id(2)), (BOB, command_id(3))]
    async with database.connect() as connection:
        found = await load_moved(connection, [*wanted, (ANN, command_id(99))])
        assert await load_moved(connection, []) == {}
    assert found == {wanted[0]: ENTRY, wanted[2]: bobs}


async def test_lines_come_back_in_their_order(database: Database) -> None:
    shelf = [product(ProductId(number)) for number in range(1, 8)]
    mixed = [line(ProductId(number)) for number in (5, 1, 7, 3, 2)]
    await save(database, *shelf, order(mixed))
    async with database.connect() as connection:
        found = await load_orders(connection, [ORDER_ID])
    assert found.get(ORDER_ID) == order(mixed)


async def test_a_payment_loads_what_its_order_names(database: Database) -> None:
    await save(database, *SHOP)
    named = Needs(wallets={ANN}, orders={ORDER_ID}, copies_by_user={ANN}, writes_products=True)
    found = {type(row).__name__ for row in await load(database, named)}
    assert found == {"Wallet", "Product", "UserCoupon", "Order"}


async def test_nobody_elses_rows_are_loaded(database: Database) -> None:
    await save(database, *SHOP, wallet(1, BOB), replace(copy(user_id=BOB), number=2))
    mine = Needs(wallets={ANN}, coupons={CODE}, copies_by_user={ANN})
    assert sorted(map(repr, await load(database, mine))) == sorted(
        map(repr, [wallet(1_000), coupon(issued=1), copy()])
    )


Loader = Callable[[AsyncConnection, list[Any]], Awaitable[int]]


async def _wallets(connection: AsyncConnection, ids: list[Any]) -> int:
    return len((await load_wallets(connection, ids)).loaded)


async def _products(connection: AsyncConnection, ids: list[Any]) -> int:
    return len((await load_products(connection, ids, to_write=True)).loaded)


async def _coupons(connection: AsyncConnection, ids: list[Any]) -> int:
    return len((await load_coupons(connection, [CouponCode(f"C{each}") for each in ids])).loaded)


async def _orders(connection: AsyncConnection, ids: list[Any]) -> int:
    return len((await load_orders(connection, [OrderId(f"O{each}") for each in ids])).loaded)


#   loader      rows 1 to 3
LOADERS: list[tuple[Loader, list[Change]]] = [
    (_wallets, [Wallet(UserId(n), n) for n in (1, 2, 3)]),
    (_products, [product(ProductId(n)) for n in (1, 2, 3)]),
    (
        _coupons,
        [
            replace(coupon(), coupon_id=CouponId(f"{n}"), coupon_code=CouponCode(f"C{n}"))
            for n in (1, 2, 3)
        ],
    ),
    (_orders, [product(TEA), *[order(order_id=OrderId(f"O{n}")) for n in (1, 2, 3)]]),
]


@pytest.mark.parametrize(("loader", "rows"), LOADERS)
@pytest.mark.parametrize(
    ("asked", "found"), [([], 0), ([9], 0), ([2], 1), ([1, 9, 3], 2), (list(range(5_000)), 3)]
)
async def test_none_one_or_many_rows_are_loaded_by_key(
    database: Database, loader: Loader, rows: list[Change], asked: list[int], found: int
) -> None:
    await save(database, *rows)
    async with database.begin() as connection:
        assert await loader(connection, asked) == found


#   column                        values that match nothing else
VALUES = [
    (schema.wallets.c.user_id, [1, 2**62, INT64_MAX]),
    (schema.coupons.c.coupon_code, ["a", "A", "a'b", 'a"b', "ü", "a,b", "{a}", "NULL", "[]"]),
]


@pytest.mark.parametrize(("column", "values"), VALUES)
async def test_one_of_matches_each_value_and_no_other(
    database: Database, column: sa.Column[Any], values: list[Any]
) -> None:
    rows: list[Change] = [
        wallet(0, UserId(value))
        if isinstance(value, int)
        else replace(coupon(), coupon_id=CouponId(f"{number}"), coupon_code=CouponCode(value))
        for number, value in enumerate(values)
    ]
    await save(database, *rows)
    async with database.connect() as connection:
        query = sa.select(column).where(one_of(column, "given"))
        for given in ([], *([value] for value in values), values):
            found = (await connection.scalars(query, {"given": given})).all()
            assert sorted(found) == sorted(given)


async def test_reads_for_the_edge(database: Database) -> None:
    await save(database, *SHOP)
    async with database.connect() as connection:
        assert await list_products(connection, 0, 9) == [
            product(TEA),
            product(CUP, stock=INT64_MAX),
        ]
        assert await find_products(connection, [TEA, 99]) == {TEA: product(TEA)}
        assert await list_user_coupons(connection, [ANN, BOB]) == {ANN: [copy()], BOB: []}


async def test_a_users_copies_are_listed_as_they_were_issued(database: Database) -> None:
    offers = [
        replace(coupon(issued=1), coupon_id=CouponId(name), coupon_code=CouponCode(name))
        for name in "abc"
    ]
    copies = [
        replace(
            copy(),
            coupon_id=offer.coupon_id,
            coupon_code=offer.coupon_code,
            issued_at_ms=NOW_MS - number,
        )
        for number, offer in enumerate(offers)
    ]
    await save(database, *offers, *copies)
    async with database.connect() as connection:
        assert await list_user_coupons(connection, [ANN]) == {ANN: copies[::-1]}


async def test_an_id_longer_than_ours_is_nobodys(database: Database) -> None:
    """Ids on the wire may be longer than ours; PostgreSQL cuts what is cast to fit."""
    await save(database, *SHOP)
    async with database.connect() as connection:
        assert (await load_orders(connection, [OrderId(ORDER_ID + "0")])).loaded == {}


async def test_a_text_longer_than_its_column_is_not_cut(database: Database) -> None:
    long = replace(product(), name="n" * 201)
    if database.is_sqlite:
        await save(database, long)
        assert await load(database) == [long]
    else:
        with pytest.raises(DBAPIError, match="too long"):
            await save(database, long)
