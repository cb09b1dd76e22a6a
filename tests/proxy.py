"""A TCP proxy on the loopback address, to take a server away from its clients for a while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from app.services.ports import free_port


class Proxy:
    """Passes bytes on between `open` and `shut`; while it is shut, nobody answers."""

    def __init__(self, server_port: int) -> None:
        self.port = free_port()
        self._server_port = server_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Let clients through."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def shut(self) -> None:
        """Cut every connection, and let nobody in."""
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
            self._writers |= {writer, far_writer}
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
            self._writers -= {writer, far_writer}


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxied(server_port: int) -> AsyncIterator[Proxy]:
    """An open proxy before a server on this machine."""
    proxy = Proxy(server_port)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.shut()
