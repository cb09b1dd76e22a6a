"""Product data may be a second old, but never older than a change that was answered."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest_asyncio
import sqlalchemy as sa

from storage.engine import Database, create_database
from storage.migrate import upgrade_async
from storage.schema import products
from web.catalog import Catalog
from web.shared_cache import LocalCache


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'catalog.db'}"
    await upgrade_async(url)
    opened = create_database(url)
    async with opened.begin() as connection:
        rows = [{"product_id": n, "name": "Tea", "price": n, "stock": 10} for n in (1, 2)]
        await connection.execute(products.insert(), rows)
    yield opened
    await opened.dispose()


async def set_stock(database: Database, stock: int) -> None:
    async with database.begin() as connection:
        await connection.execute(sa.update(products).values(stock=stock))


async def stocks(catalog: Catalog) -> list[int]:
    listed = msgspec.json.decode(await catalog.products_page(0, 9))["products"]
    found = await catalog.products_by_id([2, 1, 7])
    assert [each["stock"] for each in listed] == [found[1].stock, found[2].stock]
    return [each["stock"] for each in listed]


async def test_what_is_kept_is_shown_until_a_change_is_answered(database: Database) -> None:
    cache = LocalCache()
    edges = [Catalog(cache, database), Catalog(cache, database)]
    assert await stocks(edges[0]) == [10, 10]
    await set_stock(database, 9)
    assert await stocks(edges[1]) == [10, 10]
    await edges[0].changed()
    assert await stocks(edges[1]) == [9, 9]


class Slow(LocalCache):
    """Something happens before the first value is kept."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self._meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile:
            await meanwhile()
        await super().put(key, value, seconds)


async def test_a_change_during_a_load_is_not_hidden_by_what_was_loaded(
    database: Database,
) -> None:
    async def sell() -> None:
        await set_stock(database, 9)
        await catalog.changed()

    catalog = Catalog(Slow(sell), database)
    assert b'"stock":10' in await catalog.products_page(0, 9)
    assert await stocks(catalog) == [9, 9]


async def test_nothing_asked_is_nothing_loaded(database: Database) -> None:
    assert await Catalog(LocalCache(), database).products_by_id([]) == {}
