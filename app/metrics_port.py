"""The port on which an edge says what it counts; a worker has its web port for that."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from app.settings import Settings
from web.metrics import create_metrics_page


@asynccontextmanager
async def serving_metrics(settings: Settings) -> AsyncIterator[None]:
    """Serve /metrics while the block runs, where a port is set for it."""
    runner = web.AppRunner(create_metrics_page(), access_log=None, handle_signals=False)
    try:
        if settings.metrics_port:
            await runner.setup()
            await web.TCPSite(runner, settings.worker_host, settings.metrics_port).start()
        yield
    finally:
        await runner.cleanup()
