"""The page's files: complete, of one version, kept as long as is right, and all from here."""

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from web.page import FOLDER, load_page
from web.problems import answer_problems
from web.routes import ROUTES

Browser = TestClient[Any, Any]


class Links(HTMLParser):
    """Every address that a document names."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(document)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("href", "src")]


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    app = web.Application(middlewares=[answer_problems])
    app.add_routes([route for route in ROUTES if route.path == "/" or "/page" in route.path])
    async with TestClient(TestServer(app)) as client:
        yield client


def policy_of(response: ClientResponse) -> dict[str, str]:
    directives = response.headers["Content-Security-Policy"].split("; ")
    return {name: rest for name, _, rest in (each.partition(" ") for each in directives)}


def test_the_page_names_its_own_version_and_nobody_elses_files() -> None:
    page = load_page()
    links = Links(page.files["index.html"].decode()).found
    own = {link for link in links if link.startswith("page/")}
    names = ("icon.svg", "ranking.js", "style.css")
    assert own == {f"page/{page.version}/{name}" for name in names}
    # Relative, so that the page also works below a path of a proxy; and never another host.
    assert all(re.match(r"(page|api)/", link) for link in links)


def test_no_file_asks_for_anything_from_elsewhere() -> None:
    # The name of SVG is a URL that nobody asks for.
    text = "".join(file.read_text() for file in FOLDER.iterdir() if file.is_file())
    assert set(re.findall(r"https?://\S+?(?=\")", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|innerHTML|insertAdjacent|document\.write|eval\(", text)


def test_scripts_import_each_other_from_their_own_version() -> None:
    files = load_page().files
    for name in (name for name in files if name.endswith(".js")):
        imported = re.findall(r'^import .* from "(.+)";$', files[name].decode(), re.M)
        assert all(each.removeprefix("./") in files for each in imported)


async def test_each_file_is_served_with_its_type(browser: Browser) -> None:
    page = load_page()
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    for name in page.files.keys() - {"index.html"}:
        response = await browser.get(f"/page/{page.version}/{name}")
        assert (response.status, await response.read()) == (200, page.files[name])
        assert response.content_type == kinds[name.rpartition(".")[2]]
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


async def test_the_page_is_asked_for_each_time_and_sent_once(browser: Browser) -> None:
    first = await browser.get("/?limit=50")
    assert (first.status, first.content_type) == (200, "text/html")
    assert first.headers["Cache-Control"] == "no-cache"
    held = {"If-None-Match": first.headers["ETag"]}
    second = await browser.get("/", headers=held)
    assert (second.status, await second.read()) == (304, b"")
    assert second.headers["ETag"] == first.headers["ETag"]
    other = await browser.get("/", headers={"If-None-Match": '"another"'})
    assert (other.status, await other.read()) == (200, load_page().files["index.html"])


@pytest.mark.parametrize(
    "path",
    [
        "/page/0123456789abcdef/ranking.js",
        "/page/{version}/index.html",
        "/page/{version}/none.js",
        "/page/{version}/..%2Fpage.py",
        "/page/{version}/%2Fetc%2Fpasswd",
    ],
)
async def test_another_version_or_file_is_not_there_and_not_kept(
    browser: Browser, path: str
) -> None:
    response = await browser.get(path.format(version=load_page().version))
    assert response.status == 404
    assert response.content_type == "application/problem+json"
    assert response.headers.get("Cache-Control") == "no-store"


async def test_a_browser_is_told_to_run_and_load_nothing_else(browser: Browser) -> None:
    for path in ("/", f"/page/{load_page().version}/ranking.js"):
        response = await browser.get(path)
        policy = policy_of(response)
        own = ("script-src", "style-src", "connect-src", "img-src")
        assert {name: policy[name] for name in own} == dict.fromkeys(own, "'self'")
        others = policy.keys() - set(own)
        assert others >= {"default-src", "base-uri", "form-action", "frame-ancestors"}
        assert {policy[name] for name in others} == {"'none'"}
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"


def test_any_change_of_any_file_is_another_version(tmp_path: Path) -> None:
    page = load_page()
    versions = {page.version}
    for name in page.files:
        folder = tmp_path / name
        copytree(FOLDER, folder)
        with (folder / name).open("a") as file:
            file.write("\n")
        versions.add(load_page(folder).version)
    assert len(versions) == 1 + len(page.files)


def luminance(colour: str) -> float:
    """Return the relative luminance of `#rrggbb`, as WCAG 2 defines it."""
    shares = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(scheme: str) -> None:
    light, dark = (FOLDER / "style.css").read_text().split(":root {")[1:]
    block = light if scheme == "light" else dark
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block.partition("}")[0]))
    words = ("ink", "soft", "accent", "up", "down", "bad")
    pairs = [*[(word, "paper") for word in words], ("ink", "flash"), ("ink", "line")]
    poor = [(a, b) for a, b in pairs if contrast(colours[a], colours[b]) < 4.5]
    assert poor == []
