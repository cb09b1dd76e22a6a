"""The page at `/`: the live ranking for people, in a browser.

Its files are read once. The page names the version of its own script and style, and only that
version is served: no browser and no proxy can put the files of two releases together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from string import Template

from aiohttp import ETag, web

from web.access import public
from web.problems import ProblemError

FOLDER = Path(__file__).with_name("page")
_INDEX = "index.html"

_TYPE_BY_SUFFIX = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# The page is asked for each time, which costs no more than its version; the rest never changes.
_ASK_EACH_TIME = "no-cache"
_KEEP = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Page:
    """The files of one release, by name, and the version that their content makes."""

    version: str
    files: Mapping[str, bytes]


@public
async def show_page(request: web.Request) -> web.Response:
    """Answer the page. What comes after `?` is for its script."""
    return respond_index(request, load_page(), _POLICY)


@public
async def show_page_file(request: web.Request) -> web.Response:
    """Answer the script, the style or the icon of this version, and of no other."""
    return respond_file(request, load_page(), _POLICY)


def respond_index(request: web.Request, page: Page, policy: str) -> web.Response:
    """Answer a page itself, under a policy of what it may load."""
    return _respond(request, page, _INDEX, {**_headers(policy), "Cache-Control": _ASK_EACH_TIME})


def respond_file(request: web.Request, page: Page, policy: str) -> web.Response:
    """Answer the file of a page that the path names; 404 for other files and versions."""
    name = request.match_info["name"]
    if request.match_info["version"] != page.version or name not in page.files or name == _INDEX:
        detail = "There is no such file; the page itself names those that there are."
        raise ProblemError(404, "NOT_FOUND", detail, headers={"Cache-Control": "no-store"})
    return _respond(request, page, name, {**_headers(policy), "Cache-Control": _KEEP})


@cache
def load_page(folder: Path = FOLDER) -> Page:
    """Read the files of the page."""
    found = sorted(file for file in folder.iterdir() if file.suffix in _TYPE_BY_SUFFIX)
    files = {file.name: file.read_bytes() for file in found}
    content = b"\0".join(part for name in files for part in (name.encode(), files[name]))
    version = sha256(content).hexdigest()[:16]
    index = Template(files[_INDEX].decode()).substitute(version=version)
    return Page(version, {**files, _INDEX: index.encode()})


def _headers(policy: str) -> dict[str, str]:
    return {**_HEADERS, "Content-Security-Policy": policy}


def _respond(
    request: web.Request, page: Page, name: str, headers: Mapping[str, str]
) -> web.Response:
    is_held = any(tag.value in (page.version, "*") for tag in request.if_none_match or ())
    response = web.Response(status=304) if is_held else _whole(name, page.files[name])
    response.headers.update(headers)
    response.etag = ETag(page.version)
    return response


def _whole(name: str, body: bytes) -> web.Response:
    kind = _TYPE_BY_SUFFIX[Path(name).suffix]
    return web.Response(body=body, content_type=kind, charset="utf-8")
