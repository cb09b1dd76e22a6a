"""`fairline ready`: yes or no, and in one line why not."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result

from app.cli import main
from app.services.ports import free_port

READY = {"/readyz": (503, {"checks": {"database": False, "broker": True, "loaded": False}})}
ALIVE = {"/livez": (200, {"checks": {"agents": True}})}


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    """The web port of a process that lives and is not ready."""

    async def answer(request: web.Request) -> web.Response:
        status, body = {**READY, **ALIVE}[request.path]
        return web.json_response(body, status=status)

    app = web.Application()
    app.router.add_get("/readyz", answer)
    app.router.add_get("/livez", answer)
    async with TestServer(app) as server:
        assert server.port is not None
        yield server.port


async def ready(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["ready", *words])


async def test_a_no_names_the_checks_that_fail(port: int) -> None:
    result = await ready("--port", str(port))
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "database, loaded\n")


async def test_a_process_that_is_not_ready_may_live(port: int) -> None:
    result = await ready("--port", str(port), "--live")
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize("words", [(), ("--live",)])
async def test_where_nobody_answers_the_answer_is_no(words: tuple[str, ...]) -> None:
    result = await ready("--port", str(free_port()), *words)
    assert result.exit_code == 1
    assert result.stderr.startswith("no answer: ")
