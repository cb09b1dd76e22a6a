"""Product data for readers, kept for a second at most, and never past a change that was answered.

Whoever answers a payment or a change of the catalog raises the version first; what was kept under
an older version is not shown any more. So a client's next read has its own write, on every edge.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from domain.entities import Product
from storage.engine import Database
from storage.products import find_products, list_products
from streams import wire
from web.paging import Cursors, split
from web.shapes import Products, encode
from web.shared_cache import SharedCache

LIFE_SECONDS = 1.0
CURSORS = Cursors("products", tuple[int])

_VERSION = "catalog-version"
_decode_products = msgspec.json.Decoder(list[wire.Product]).decode


class Catalog:
    """Reads products: from the cache while the version holds, else from SQL."""

    def __init__(self, cache: SharedCache, database: Database) -> None:
        self._cache = cache
        self._database = database

    async def changed(self) -> None:
        """Let what is kept be forgotten, by every edge; to be awaited before the answer."""
        await self._cache.raise_number(_VERSION)

    async def products_page(self, after: int, limit: int) -> bytes:
        """Return the body of a page of the product list."""

        async def load() -> bytes:
            async with self._database.connect() as connection:
                found = await list_products(connection, after, limit + 1)
            listed, last = split(found, limit)
            following = None if last is None else CURSORS.write((last.product_id,))
            return encode(Products([_show(product) for product in listed], following))

        return await self._kept(f"products-page:{after}:{limit}", load)

    async def products_by_id(self, product_ids: Sequence[int]) -> dict[int, wire.Product]:
        """Return product data by id, for those that exist."""
        if not product_ids:
            return {}

        async def load() -> bytes:
            async with self._database.connect() as connection:
                found = await find_products(connection, product_ids)
            return encode([_show(product) for product in found.values()])

        key = "products:" + ",".join(map(str, sorted(product_ids)))
        products = _decode_products(await self._kept(key, load))
        return {product.product_id: product for product in products}

    async def _kept(self, key: str, load: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return what is kept under this version, or load it and keep it under this version.

        The version is read before the load: a change in between is never hidden.
        """
        version, kept = await self._cache.get(_VERSION, key)
        sign = (version or b"0") + b"\n"
        if kept is not None and kept.startswith(sign):
            return kept[len(sign) :]
        loaded = await load()
        await self._cache.put(key, sign + loaded, LIFE_SECONDS)
        return loaded


def _show(product: Product) -> wire.Product:
    return wire.Product(product.product_id, product.name, product.price, product.stock)
