"""Keys of an issuer's JWKS URL (RFC 7517): fetched now and then, and for an unknown key soon.

Whoever sends tokens with invented key ids makes us ask no more often than every
`ASK_AGAIN_SECONDS`, and all who wait for that wait for the same answer.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import ClientError, ClientSession, ClientTimeout

from streams.stopping import check_stopping
from web.token_keys import Keys, read_keys

log = logging.getLogger(__name__)

REFRESH_SECONDS = 300.0
ASK_AGAIN_SECONDS = 30.0
RETRY_SECONDS = 2.0
FETCH_SECONDS_MAX = 5.0
DOCUMENT_BYTES_MAX = 256 * 1024

Fetch = Callable[[], Awaitable[bytes]]


async def fetch_document(url: str) -> bytes:
    """Fetch a document; raises ClientError, TimeoutError, or ValueError where it is too large.

    No redirect is followed: keys come from where the operator said, or not at all.
    """
    timeout = ClientTimeout(total=FETCH_SECONDS_MAX)
    async with (
        ClientSession(timeout=timeout) as client,
        client.get(url, allow_redirects=False) as response,
    ):
        if response.status != 200:
            message = f"answered with {response.status}"
            raise ValueError(message)
        document = b""
        async for chunk in response.content.iter_chunked(64 * 1024):
            document += chunk
            if len(document) > DOCUMENT_BYTES_MAX:
                message = f"larger than {DOCUMENT_BYTES_MAX} bytes"
                raise ValueError(message)
        return document


class KeyUrl:
    """The keys of a URL. Those that were fetched stay while it is away."""

    def __init__(
        self,
        fetch: Fetch,
        algorithms: tuple[str, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._algorithms = algorithms
        self._clock = clock
        self._keys = Keys()
        self._document = b""
        self._asked_at: float | None = None
        self._asking: asyncio.Task[bool] | None = None

    @property
    def is_ready(self) -> bool:
        """Tell whether keys were fetched."""
        return bool(self._keys.listed)

    @property
    def keys(self) -> Keys:
        """The keys as they were fetched last; none before the first time."""
        return self._keys

    async def look_again(self) -> bool:
        """Fetch anew for a key that is not known, unless that was done a moment ago."""
        if self._asking is None:
            if self._asked_at is not None and self._clock() - self._asked_at < ASK_AGAIN_SECONDS:
                return False
            self._asking = asyncio.create_task(self._ask())
        # Who leaves while waiting must not take the answer from the others.
        return await asyncio.shield(self._asking)

    async def run(self) -> None:
        """Fetch the keys at once, and again every few minutes, until cancelled."""
        while True:
            await self._ask()
            await asyncio.sleep(REFRESH_SECONDS if self.is_ready else RETRY_SECONDS)

    async def _ask(self) -> bool:
        self._asked_at = self._clock()
        try:
            document = await self._fetch()
            if document == self._document:
                return False
            self._keys, self._document = read_keys(document, self._algorithms), document
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            check_stopping(error)
            log.warning("keys of tokens: %r; those of before stay", error)
            return False
        else:
            return True
        finally:
            self._asking = None
