"""The page at `/docs` in a real Chromium: the API is read there, and a call is tried."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.browser import Tab, chromium, tab_of
from web.problems import answer_problems
from web.routes import ROUTES

pytestmark = pytest.mark.asyncio(loop_scope="module")

Client = TestClient[Any, Any]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client() -> AsyncIterator[Client]:
    """The routes with nothing behind them: neither the page nor the list of routes asks for it."""
    app = web.Application(middlewares=[answer_problems])
    app.add_routes(ROUTES)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tab(client: Client) -> AsyncIterator[Tab]:
    """A tab that may ask nobody but the edge; at the end it has nothing to complain of."""
    site = str(client.make_url("/")).rstrip("/")
    async with chromium() as browser, tab_of(browser, site) as tab:
        tab.page.set_default_timeout(120_000)
        await tab.page.goto(f"{site}/docs")
        yield tab
        assert tab.complaints == []


async def test_the_page_shows_every_operation(tab: Tab, client: Client) -> None:
    async with client.get("/openapi.json") as response:
        paths = (await response.json())["paths"]
    await tab.page.locator(".opblock").first.wait_for()
    assert await tab.page.locator(".opblock").count() == sum(map(len, paths.values()))
    assert await tab.page.locator(".errors-wrapper").count() == 0


async def test_a_call_is_tried_from_the_page(tab: Tab) -> None:
    block = tab.page.locator("#operations-description-listRoutes")
    await block.locator(".opblock-summary-control").click()
    await block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table .response").first
    await answer.get_by_text("200").first.wait_for()
    assert "POST /api/v1/balance/charge" in await answer.inner_text()


async def test_what_the_page_loads_is_of_one_version_and_is_kept(client: Client) -> None:
    async with client.get("/docs") as response:
        page = await response.text()
    version = page.partition("docs/")[2].partition("/")[0]
    async with client.get(f"/docs/{version}/start.js") as found:
        assert (found.status, found.content_type) == (200, "text/javascript")
        assert "immutable" in found.headers["Cache-Control"]
    for path in (f"{version}/index.html", "other/start.js", f"{version}/LICENSE"):
        async with client.get(f"/docs/{path}") as missed:
            assert missed.status == 404
