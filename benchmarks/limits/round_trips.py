"""Counts how often a client waits for a database: each time that it speaks after it was answered.

A proxy on the loopback address sees that without asking either side.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit


@asynccontextmanager
async def counted(url: str) -> AsyncIterator[tuple[str, Callable[[], int]]]:
    """Open a proxy before a server; yield the URL that leads through it, and the count so far."""
    counter = _Counter(urlsplit(url).hostname or "127.0.0.1", urlsplit(url).port or 5432)
    server = await asyncio.start_server(counter.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    parts = urlsplit(url)
    who = parts.netloc.rpartition("@")[0]
    through = parts._replace(netloc=f"{who}@127.0.0.1:{port}" if who else f"127.0.0.1:{port}")
    async with server:
        yield through.geturl(), lambda: counter.trips


@dataclass
class _Line:
    """One connection: whether the client has been answered since it last spoke."""

    answered: bool = True


class _Counter:
    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self.trips = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._server)
        line = _Line()
        await asyncio.gather(
            self._pass_on(reader, far_writer, line, asks=True),
            self._pass_on(far_reader, writer, line, asks=False),
        )

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        line: _Line,
        *,
        asks: bool,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 20):
                self.trips += asks and line.answered
                line.answered = not asks
                writer.write(data)
                await writer.drain()
        writer.close()
