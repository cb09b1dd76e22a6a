"""A TCP proxy that misbehaves to order: slow, gone, or cut right after a COMMIT was passed on."""

import asyncio
import re
from contextlib import suppress

from app.services.ports import free_port

# What asyncpg sends: a simple query, its length, its text, and a NUL.
COMMIT = re.compile(rb"Q\x00\x00\x00\x0cCOMMIT;\x00")
BEGIN = re.compile(rb"Q\x00\x00\x00.BEGIN[^\x00]*;\x00", re.DOTALL)
ANSWER_SECONDS_MAX = 2.0


class Link:
    """One client's connection, and ours to the server on its behalf."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.muted = asyncio.Event()
        """Set: what the server says is heard, and kept from the client."""
        self.answered = asyncio.Event()

    def cut(self) -> None:
        """Reset both ends; nobody is told why."""
        for writer in (self.client, self.server):
            writer.transport.abort()


class FaultProxy:
    """Stands between one process of ours and one server, on a port of its own."""

    def __init__(self, server_port: int) -> None:
        self.port = free_port()
        self.delay_seconds = 0.0
        self._server_port = server_port
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._cut_after_commit: asyncio.Event | None = None
        self._hold: re.Pattern[bytes] | None = None
        self._caught = asyncio.Event()
        self._release = asyncio.Event()

    async def open(self) -> None:
        """Let clients through."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def shut(self) -> None:
        """Cut every connection, and let nobody in."""
        if self._server is not None:
            self._server.close()
            self.cut()
            await self._server.wait_closed()
            self._server = None

    def cut(self) -> None:
        """Cut every connection; new ones are let in."""
        for link in self._links:
            link.cut()

    def cut_after_next_commit(self) -> asyncio.Event:
        """Pass the next COMMIT on, keep its answer, cut; the event tells that it is done."""
        self._cut_after_commit = asyncio.Event()
        return self._cut_after_commit

    def hold_next(self, statement: re.Pattern[bytes]) -> asyncio.Event:
        """Keep the next such statement from the server; the event tells that one is held."""
        self._caught, self._release = asyncio.Event(), asyncio.Event()
        self._hold = statement
        return self._caught

    def release(self) -> None:
        """Let go of what is held, and wait for nothing more."""
        self._hold = self._cut_after_commit = None
        self._release.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = None
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
            link = Link(writer, far_writer)
            self._links.add(link)
            await asyncio.gather(self._ask(link, reader), self._answer(link, far_reader))
        except OSError:
            writer.transport.abort()
        finally:
            self._links.discard(link) if link else None

    async def _ask(self, link: Link, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                await self._hold_back(data)
                cut = self._is_to_be_cut(data)
                if cut is not None:
                    link.muted.set()
                link.server.write(data)
                await link.server.drain()
                if cut is not None:
                    await self._cut_when_answered(link, cut)
                    return
        link.server.close()

    async def _answer(self, link: Link, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if link.muted.is_set():
                    link.answered.set()
                    continue
                link.client.write(data)
                await link.client.drain()
        link.client.close()

    def _is_to_be_cut(self, data: bytes) -> asyncio.Event | None:
        if self._cut_after_commit is None or not COMMIT.search(data):
            return None
        cut, self._cut_after_commit = self._cut_after_commit, None
        return cut

    async def _cut_when_answered(self, link: Link, cut: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await link.answered.wait()
        link.cut()
        cut.set()

    async def _hold_back(self, data: bytes) -> None:
        if self._hold is not None and self._hold.search(data):
            self._hold = None
            self._caught.set()
            await self._release.wait()
