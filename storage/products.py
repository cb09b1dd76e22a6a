"""The catalog's products and their stock."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.entities import Product
from domain.ids import ProductId
from domain.state import Rows
from storage.rows import Writes, reader_of
from storage.schema import products
from storage.sets import one_of

_product_row = reader_of(Product)

_products_by_id = sa.select(products).where(one_of(products.c.product_id, "product_ids"))
_products_to_write = _products_by_id.order_by(products.c.product_id).with_for_update(
    key_share=True
)


async def load_products(
    connection: AsyncConnection, product_ids: Iterable[ProductId], *, to_write: bool
) -> Rows[ProductId, Product]:
    """Load these products; to write them, their rows are locked, in id order.

    Every transaction that writes products takes the locks in this order, so none deadlock.
    """
    ids = sorted(set(product_ids))
    if not ids:
        return Rows()
    query = _products_to_write if to_write else _products_by_id
    found = await connection.execute(query, {"product_ids": ids})
    return Rows({ProductId(row[0]): Product(*row) for row in found})


def save_products(writes: Writes, rows: Rows[ProductId, Product]) -> None:
    """Save new and changed products."""
    updated = [
        {
            "product_id": product.product_id,
            "name": product.name,
            "price": product.price,
            "stock": product.stock,
        }
        for product in rows.updated()
    ]
    writes.update(products, updated)
    writes.insert(products, map(_product_row, rows.added()))


async def list_products(connection: AsyncConnection) -> list[Product]:
    """List the whole catalog, by id."""
    found = await connection.execute(sa.select(products).order_by(products.c.product_id))
    return [Product(*row) for row in found]


async def find_products(
    connection: AsyncConnection, product_ids: Iterable[int]
) -> dict[int, Product]:
    """Find products by id, those that exist."""
    ids = [ProductId(product_id) for product_id in product_ids]
    rows = await load_products(connection, ids, to_write=False)
    return {int(product_id): product for product_id, product in rows.loaded.items()}
