"""A real Chromium for tests, and tabs of it that remember whatever they complain of."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, Playwright, Request
from playwright.async_api import async_playwright as started

from app.services.errors import StartError
from tests.client import eventually
from tests.services import do_without

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A Chromium without windows; a skip, or in CI a failure, where there is none."""
    async with started() as playwright:
        program = program_of(playwright)
        if program is None:
            do_without(StartError("there is no Chromium (Debian: apt-get install chromium)"))
        browser = await playwright.chromium.launch(executable_path=program)
        try:
            yield browser
        finally:
            await browser.close()


def program_of(playwright: Playwright) -> str | None:
    """Return where a Chromium is: the machine's, or the one that Playwright has downloaded."""
    own = playwright.chromium.executable_path
    found = filter(None, map(shutil.which, PROGRAMS))
    return next(found, own if Path(own).exists() else None)


@dataclass
class Tab:
    """A tab that shows one site. Each error, each warning and each foreign address is noted."""

    page: Page
    site: str
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Note complaints from now on."""
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _see(self, request: Request) -> None:
        if not request.url.startswith(f"{self.site}/"):
            self.complaints.append(f"asked for {request.url}")

    async def open(self, path: str = "/?limit=100") -> None:
        """Go to a page of the site, and wait until it is live."""
        await self.page.goto(f"{self.site}{path}")
        await self.sees("Live")

    async def sees(self, state: str) -> None:
        """Wait until the page says this of its connection."""

        async def look() -> bool:
            return await self.page.inner_text("#state") == state

        await eventually(look, f"the state {state}")

    async def complains(self, of: str) -> None:
        """Wait until it complains of this."""
        await eventually(lambda: any(of in each for each in self.complaints), of)

    async def rows(self) -> list[dict[str, str]]:
        """Return what the table shows, row by row, each text by the class of its element."""
        rows: list[dict[str, str]] = await self.page.evaluate(
            """() => [...document.querySelectorAll("tbody tr")].map((row) => Object.fromEntries(
              ["rank", "change", "name", "price", "quantity"].map(
                (name) => [name, row.querySelector(`.${name}`).innerText])))"""
        )
        return rows

    async def quantities(self) -> dict[str, str]:
        """Return how many of each name were sold, the best seller first, as they are written."""
        return {row["name"]: row["quantity"] for row in await self.rows()}


@asynccontextmanager
async def tab_of(browser: Browser, site: str, **context: Any) -> AsyncIterator[Tab]:
    """A tab with cookies and a cache of its own; `context` is what Playwright's contexts take."""
    async with await browser.new_context(locale="en-US", **context) as opened:
        tab = Tab(await opened.new_page(), site)
        tab.listen()
        yield tab
