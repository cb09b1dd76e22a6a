"""The catalog's products and their stock."""

from collections.abc import Callable, Iterable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import Product
from domain.ids import OrderId, ProductId
from domain.state import Rows
from storage.lookups import Lookups, looked_up
from storage.rows import Writes, reader_of
from storage.schema import order_lines, products
from storage.sets import one_of

_names, _product_row = reader_of(Product)
_products = sa.select(*(products.c[name] for name in _names))
_lines = sa.select(order_lines.c.product_id).where(one_of(order_lines.c.order_id, "order_ids"))
_products_by_id = _products.where(one_of(products.c.product_id, "product_ids"))
_products_to_write = (
    _products.where(one_of(products.c.product_id, "product_ids", _lines))
    .order_by(products.c.product_id)
    .with_for_update(key_share=True)
)


async def load_products(
    connection: AsyncConnection, product_ids: Iterable[ProductId], *, to_write: bool
) -> Rows[ProductId, Product]:
    """Load these products; to write them, their rows are locked, in id order.

    Every transaction that writes products takes the locks in this order, so none deadlock.
    """
    if to_write:
        return await looked_up(connection, lambda each: ask_to_write(each, product_ids, ()))
    return await looked_up(connection, lambda each: ask_products(each, product_ids))


def ask_products(
    lookups: Lookups, product_ids: Iterable[ProductId]
) -> Callable[[], Rows[ProductId, Product]]:
    """Gather the look-up of products that are not written."""
    rows = lookups.ask(_products_by_id, {"product_ids": list(product_ids)})
    return lambda: Rows({row[0]: Product(*row) for row in rows})


def ask_to_write(
    lookups: Lookups, product_ids: Iterable[ProductId], order_ids: Iterable[OrderId]
) -> Callable[[], Rows[ProductId, Product]]:
    """Gather the locking of products, and of all that orders name; see `load_products`."""
    named = {"product_ids": list(product_ids), "order_ids": list(order_ids)}
    rows = lookups.ask(_products_to_write, named)
    return lambda: Rows({row[0]: Product(*row) for row in rows})


def save_products(writes: Writes, rows: Rows[ProductId, Product]) -> None:
    """Save new and changed products."""
    writes.update(products, _names, map(_product_row, rows.updated()))
    writes.insert(products, _names, map(_product_row, rows.added()))


async def list_products(connection: AsyncConnection, after: int, rows_max: int) -> list[Product]:
    """List the products after an id, by id."""
    listed = _products.where(products.c.product_id > after).order_by(products.c.product_id)
    return [Product(*row) for row in await connection.execute(listed.limit(rows_max))]


async def find_products(
    connection: AsyncConnection, product_ids: Iterable[int]
) -> dict[int, Product]:
    """Find products by id, those that exist."""
    ids = [ProductId(product_id) for product_id in product_ids]
    rows = await load_products(connection, ids, to_write=False)
    return {int(product_id): product for product_id, product in rows.loaded.items()}
