"""The page at `/` in a real Chromium, on a whole Fairline: what sells moves, and nothing lies.

The picture in the README is made on the way when it is asked for:
`FAIRLINE_TEST_PICTURE=docs/page.png python -m pytest tests/e2e/test_page.py -k api_says`
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser

from app.seed import demo_commands
from streams import wire
from tests.browser import Tab, chromium, tab_of
from tests.client import eventually
from tests.installation import install
from tests.street import Street, Visitor, opened
from web.routes import ROUTES

pytestmark = pytest.mark.asyncio(loop_scope="module")
for_the_file = pytest_asyncio.fixture(scope="module", loop_scope="module")
for_each_test = pytest_asyncio.fixture(loop_scope="module")

EDGE = "edge with worker"
NewId = Callable[[], int]
REFUSED = "Failed to load resource: net::ERR_CONNECTION_REFUSED"


@pytest.fixture(scope="module")
def street(kafka_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """What `fairline run` starts, with nothing sold."""
    folder = tmp_path_factory.mktemp("page")
    made = install(
        kafka_url, f"sqlite:///{folder}/fairline.db", folder, balance_max=10_000_000_000
    )
    with opened(asyncio.run(made), EDGE, "ranking") as street:
        yield street


@for_the_file
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@for_each_test
async def visitor(street: Street) -> AsyncIterator[Visitor]:
    async with street.visitor() as visitor:
        yield visitor


@for_each_test
async def tab(street: Street, browser: Browser) -> AsyncIterator[Tab]:
    """A tab at the page; at the end it has nothing to complain of."""
    async with tab_of(browser, street.processes[EDGE].url) as tab:
        yield tab
        assert tab.complaints == []


async def define(visitor: Visitor, new_id: NewId, *names: str) -> list[int]:
    """Define products of these names."""
    ids = [new_id() for _ in names]
    await visitor.define(
        *[
            wire.DefineProduct(id_, name, 4_500, 10_000)
            for id_, name in zip(ids, names, strict=True)
        ]
    )
    return ids


async def sell(visitor: Visitor, user_id: int, quantity_by_product: Mapping[int, int]) -> None:
    """Sell so many pieces of each product in one paid order."""
    await visitor.charge(user_id, 1_000_000_000)
    order = await visitor.order(user_id, list(quantity_by_product.items()))
    paid = await visitor.pay(user_id, order.body["orderId"])
    assert paid.body["status"] == "PAID", paid


async def counted(visitor: Visitor, *quantities: tuple[int, int]) -> None:
    """Wait until the API tells of these products and quantities."""

    async def look() -> bool:
        told = (await visitor.get("/api/v1/products/top?limit=100")).body["products"]
        return set(quantities) <= {(each["productId"], each["quantity"]) for each in told}

    await eventually(look, f"the sales {quantities}")


async def shows(tab: Tab, quantities: Mapping[str, str]) -> None:
    """Wait until the page shows these names, in this order, with these quantities."""

    async def look() -> bool:
        shown = await tab.quantities()
        return list(quantities.items()) == [(n, q) for n, q in shown.items() if n in quantities]

    await eventually(look, f"a page that shows {quantities}")


async def test_before_anything_is_sold_the_page_says_how_to_sell(tab: Tab) -> None:
    """The first test of the file: nothing was sold yet."""
    await tab.open()
    await tab.page.get_by_role("heading", name="Nothing was sold yet").wait_for()
    assert "fairline tour" in await tab.page.inner_text("#empty")
    assert await tab.page.is_hidden("table")


async def test_the_page_shows_what_the_api_says(tab: Tab, visitor: Visitor, new_id: NewId) -> None:
    await visitor.define(*[command.payload for command in demo_commands()])
    first = {7: 412, 1: 388, 16: 351, 2: 297, 20: 260, 11: 233, 5: 190, 3: 158, 15: 121, 13: 97}
    await sell(visitor, new_id(), first)
    await counted(visitor, *first.items())
    await tab.page.set_viewport_size({"width": 840, "height": 850})
    await tab.open("/")
    await eventually(lambda: has_rows(tab, 10), "ten products")
    more = ({16: 53}, {3: 64}, {18: 118}, {2: 15, 7: 1})
    for quantities in more:
        await sell(visitor, new_id(), quantities)
    await shows(tab, {"Honey castella": "413", "Caffe latte": "312"})
    told = (await visitor.get("/api/v1/products/top?limit=10")).body["products"]
    assert [(r["rank"], r["name"], r["price"], r["quantity"]) for r in await tab.rows()] == [
        (f"{p['rank']}", p["name"], f"₩{p['price']:,}", f"{p['quantity']:,}") for p in told
    ]
    headers = tab.page.get_by_role("columnheader")
    assert await headers.all_inner_texts() == ["Rank", "Product", "Price", "Sold"]
    assert "Last 72 hours" in await tab.page.inner_text("#counted")
    if picture := os.environ.get("FAIRLINE_TEST_PICTURE"):
        await tab.page.screenshot(path=Path(picture), animations="disabled")


async def test_the_viewer_chooses_how_many(tab: Tab, visitor: Visitor, new_id: NewId) -> None:
    ids = await define(visitor, new_id, *[f"Cup {letter}" for letter in "ABCDEF"])
    await sell(visitor, new_id(), dict.fromkeys(ids, 2))
    await tab.open("/?limit=nonsense")
    assert await tab.page.get_by_role("radio", name="10", exact=True).is_checked()
    await tab.page.get_by_role("radio", name="5", exact=True).check()
    await eventually(lambda: has_rows(tab, 5), "five rows")
    await tab.page.reload()
    await eventually(lambda: has_rows(tab, 5), "five rows again")
    assert tab.page.url.endswith("?limit=5")


async def has_rows(tab: Tab, many: int) -> bool:
    return len(await tab.rows()) == many


async def test_two_paid_orders_swap_two_products_without_a_reload(
    tab: Tab, visitor: Visitor, new_id: NewId
) -> None:
    latte, mocha = await define(visitor, new_id, "Latte", "Mocha")
    await sell(visitor, new_id(), {latte: 5, mocha: 3})
    await counted(visitor, (latte, 5), (mocha, 3))
    await tab.page.add_init_script(NOTE_MOVES)
    await tab.open()
    await shows(tab, {"Latte": "5", "Mocha": "3"})
    mocha_row = tab.page.locator("tr", has_text="Mocha")
    element = await mocha_row.element_handle()
    await sell(visitor, new_id(), {mocha: 1})
    await shows(tab, {"Latte": "5", "Mocha": "4"})
    await sell(visitor, new_id(), {mocha: 4})
    await shows(tab, {"Mocha": "8", "Latte": "5"})
    changes = {row["name"]: row["change"] for row in await tab.rows()}
    assert "up 1" in changes["Mocha"]
    assert "down 1" in changes["Latte"]
    # It is the same row, which has moved to its place, and its number lit up twice.
    assert await mocha_row.evaluate("(row, before) => row === before", element)
    moves = await tab.page.evaluate("moves")
    assert moves.count("Mocha moves") == moves.count("Latte moves") == 1
    assert moves.count("8 lights up") + moves.count("4 lights up") == 2


NOTE_MOVES = """
  globalThis.moves = [];
  const animate = Element.prototype.animate;
  Element.prototype.animate = function (frames, options) {
    const name = this.querySelector(".name")?.textContent;
    if (frames[0].transform) moves.push(`${name} moves`);
    if (frames[0].backgroundColor) moves.push(`${this.textContent} lights up`);
    return animate.call(this, frames, options);
  };
"""


async def test_nothing_moves_for_whoever_wants_stillness(
    street: Street, browser: Browser, visitor: Visitor, new_id: NewId
) -> None:
    bun, cake = await define(visitor, new_id, "Bun", "Cake")
    await sell(visitor, new_id(), {bun: 6, cake: 5})
    await counted(visitor, (bun, 6), (cake, 5))
    site = street.processes[EDGE].url
    async with tab_of(browser, site, reduced_motion="reduce") as tab:
        await tab.page.add_init_script(NOTE_MOVES)
        await tab.open()
        await shows(tab, {"Bun": "6", "Cake": "5"})
        await sell(visitor, new_id(), {cake: 9})
        await shows(tab, {"Cake": "14", "Bun": "6"})
        assert await tab.page.evaluate("moves") == ["14 lights up"]


async def test_a_name_is_never_more_than_a_text(tab: Tab, visitor: Visitor, new_id: NewId) -> None:
    name = "<img src=x onerror=alert(1)><script>alert(2)</script>&amp;"
    [product] = await define(visitor, new_id, name)
    tab.page.on("dialog", lambda _: tab.complaints.append("a dialog was opened"))
    await tab.open()
    await sell(visitor, new_id(), {product: 7})
    await shows(tab, {name: "7"})
    assert await tab.page.locator("tbody img, tbody script").count() == 0


async def test_a_script_that_got_in_would_not_run(street: Street, browser: Browser) -> None:
    async with tab_of(browser, street.processes[EDGE].url) as tab:
        await tab.open()
        await tab.page.evaluate(
            """() => {
              const script = document.createElement("script");
              script.textContent = "document.title = 'taken'";
              document.body.append(script);
              document.body.insertAdjacentHTML("beforeend", "<img src='https://other.invalid/'>");
            }"""
        )
        for refused in ("Executing inline script", "Loading the image 'https://other.invalid/'"):
            await tab.complains(f"{refused} violates the following Content Security Policy")
        assert await tab.page.title() == "Best sellers · Fairline"


async def test_a_phone_shows_it_without_scrolling_sideways(
    street: Street, browser: Browser, visitor: Visitor, new_id: NewId
) -> None:
    [product] = await define(visitor, new_id, "W" * 90)
    await sell(visitor, new_id(), {product: 9_999})
    phone = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}
    async with tab_of(browser, street.processes[EDGE].url, **phone) as tab:
        await tab.open()
        await shows(tab, {"W" * 90: "9,999"})
        widths = await tab.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths == [320, 320]


async def test_without_javascript_the_page_says_where_the_list_is(
    street: Street, browser: Browser
) -> None:
    site = street.processes[EDGE].url
    async with tab_of(browser, site, java_script_enabled=False) as tab, ClientSession() as client:
        await tab.page.goto(f"{site}/")
        assert await tab.page.is_hidden("#live")
        place = await tab.page.locator("noscript a").get_attribute("href")
        async with client.get(f"{site}/{place}") as response:
            assert "products" in await response.json()


async def test_the_page_says_when_the_edge_is_gone_and_when_it_is_back(
    street: Street, browser: Browser, new_id: NewId
) -> None:
    edge = street.processes[EDGE]
    async with tab_of(browser, edge.url) as tab:
        async with street.visitor() as visitor:
            [jam] = await define(visitor, new_id, "Jam")
            await sell(visitor, new_id(), {jam: 1})
        await tab.open()
        await shows(tab, {"Jam": "1"})
        street.stop(EDGE)
        await tab.sees("No connection")
        # What was known stays to be seen.
        assert (await tab.quantities())["Jam"] == "1"
        words = ("edge", "--with-worker")
        street.processes[EDGE] = street.installation.start(
            *words, port_name="http_port", port=edge.port
        )
        await street.ready()
        await tab.sees("Live")
        async with street.visitor() as visitor:
            await sell(visitor, new_id(), {jam: 2})
        await shows(tab, {"Jam": "3"})
        assert set(tab.complaints) <= {REFUSED, "Failed to load resource: net::ERR_EMPTY_RESPONSE"}


async def test_an_edge_without_a_list_is_called_neither_live_nor_gone(browser: Browser) -> None:
    async def say_nothing(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": nothing yet\n\n")
        asked.set()
        await asyncio.Event().wait()
        return response

    asked = asyncio.Event()
    app = web.Application()
    app.add_routes([route for route in ROUTES if "/api/" not in route.path])
    app.router.add_get("/api/v1/products/top/stream", say_nothing)
    async with TestServer(app) as server, tab_of(browser, str(server.make_url(""))) as tab:
        await tab.page.clock.install()
        await tab.page.goto(tab.site)
        await tab.sees("Connecting")
        await asked.wait()
        await tab.page.clock.fast_forward(6_000)
        await tab.sees("Waiting for the list")


async def test_whoever_listens_hears_who_is_first(
    tab: Tab, visitor: Visitor, new_id: NewId
) -> None:
    rice, bread = await define(visitor, new_id, "Rice", "Bread")
    await sell(visitor, new_id(), {bread: 1})
    await tab.open()
    await shows(tab, {"Bread": "1"})
    await sell(visitor, new_id(), {rice: 10_000})
    await shows(tab, {"Rice": "10,000"})
    assert await tab.page.inner_text("#announcer") == "Rice is first now, with 10,000 sold"


async def test_a_frozen_edge_is_not_called_live(street: Street, tab: Tab) -> None:
    await tab.page.clock.install()
    await tab.open()
    pid = street.processes[EDGE].child.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        # Quiet is no proof of anything: the page asks again, and gets no answer.
        await tab.page.clock.fast_forward(31_000)
        assert await tab.page.inner_text("#state") == "Live"
        await tab.page.clock.fast_forward(6_000)
        await tab.sees("Reconnecting")
    finally:
        os.kill(pid, signal.SIGCONT)
    await tab.page.clock.fast_forward(6_000)
    await tab.sees("Live")
