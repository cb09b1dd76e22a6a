"""What edges share and may lose: Redis, or the process itself where there is none."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

T = TypeVar("T")

REDIS_SECONDS_MAX = 0.05
# Redis that failed is left alone for so long; meanwhile the process serves.
AWAY_SECONDS = 1.0
# Lives are short and values may be 10 kB: what is over must not fill the memory.
_LOCAL_KEYS_MAX = 1_000


class SharedCache(Protocol):
    """Bytes by key, each for a short life, and numbers that only rise. Never raises."""

    @property
    def name(self) -> str:
        """The cache as people may see it."""

    async def get(self, *keys: str) -> list[bytes | None]:
        """Return the values of these keys, None for each that is not there."""

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep a value for so long."""

    async def raise_number(self, key: str) -> None:
        """Raise a number by one; it is read with `get`, as text."""

    async def run_script(self, script: str, key: str, *numbers: float) -> Any:
        """Run a script on a key, in one step and one round trip; None where nobody runs it."""

    async def close(self) -> None:
        """Disconnect."""


class LocalCache:
    """A cache in this process."""

    @property
    def name(self) -> str:
        """The cache as people may see it."""
        return "in-process"

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, float]] = {}
        self._numbers: dict[str, int] = {}

    async def get(self, *keys: str) -> list[bytes | None]:
        """Return the values of these keys, None for each that is not there."""
        return [self._get(key) for key in keys]

    def _get(self, key: str) -> bytes | None:
        if key in self._numbers:
            return b"%d" % self._numbers[key]
        value, until = self._kept.get(key, (None, 0.0))
        return value if time.monotonic() < until else None

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep a value for so long."""
        now = time.monotonic()
        if len(self._kept) >= _LOCAL_KEYS_MAX:
            self._kept = {k: kept for k, kept in self._kept.items() if kept[1] > now}
        if len(self._kept) >= _LOCAL_KEYS_MAX:
            self._kept.clear()
        self._kept[key] = (value, now + seconds)

    async def raise_number(self, key: str) -> None:
        """Raise a number by one."""
        self._numbers[key] = self._numbers.get(key, 0) + 1

    async def run_script(self, script: str, key: str, *numbers: float) -> Any:
        """Tell that nobody runs scripts here."""
        return None

    async def close(self) -> None:
        """Nothing is open."""


class RedisCache:
    """A cache in Redis. Where Redis is away or slow, the process's own takes its place."""

    def __init__(self, url: str, prefix: str, *, seconds_max: float = REDIS_SECONDS_MAX) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=seconds_max,
            socket_connect_timeout=seconds_max,
            retry=Retry(NoBackoff(), 0),
        )
        self._prefix = prefix
        self._scripts: dict[str, Any] = {}
        self._stand_in = LocalCache()
        self._away_until = 0.0
        self._is_away = False

    @property
    def name(self) -> str:
        """The cache as people may see it."""
        pool = self._redis.connection_pool.connection_kwargs
        place = f"redis://{pool.get('host', 'localhost')}:{pool.get('port', 6379)}"
        return f"{place} (away: in-process)" if self._is_away else place

    async def get(self, *keys: str) -> list[bytes | None]:
        """Return the values of these keys, None for each that is not there."""
        named = [self._prefix + key for key in keys]
        return await self._try(lambda: self._mget(named), lambda c: c.get(*keys))

    async def _mget(self, named: list[str]) -> list[bytes | None]:
        return [v.encode() if isinstance(v, str) else v for v in await self._redis.mget(named)]

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep a value for so long."""
        ms = int(seconds * 1000)
        await self._try(
            lambda: self._redis.set(self._prefix + key, value, px=ms),
            lambda c: c.put(key, value, seconds),
        )

    async def raise_number(self, key: str) -> None:
        """Raise a number by one; here too, for when Redis is away next."""
        await self._stand_in.raise_number(key)
        await self._try(lambda: self._redis.incr(self._prefix + key), _nothing)

    async def run_script(self, script: str, key: str, *numbers: float) -> Any:
        """Run a script, told to Redis once and then named by its hash."""
        known = self._scripts.get(script) or self._redis.register_script(script)
        self._scripts[script] = known
        named = [self._prefix + key]
        return await self._try(lambda: known(keys=named, args=numbers), _nothing)

    async def close(self) -> None:
        """Disconnect."""
        await self._redis.aclose()

    async def _try(
        self,
        with_redis: Callable[[], Awaitable[T]],
        without: Callable[[LocalCache], Awaitable[T]],
    ) -> T:
        if time.monotonic() >= self._away_until:
            try:
                found = await with_redis()
            except (RedisError, OSError, TimeoutError) as error:
                self._turn_away(error)
            else:
                self._come_back()
                return found
        return await without(self._stand_in)

    def _turn_away(self, error: Exception) -> None:
        self._away_until = time.monotonic() + AWAY_SECONDS
        if not self._is_away:
            log.warning("Redis is away (%r); the process caches for itself", error)
        self._is_away = True

    def _come_back(self) -> None:
        if self._is_away:
            log.info("Redis is back")
        self._is_away = False


async def _nothing(_cache: LocalCache) -> None:
    return None


def create_cache(redis_url: str, prefix: str) -> SharedCache:
    """Make the cache of a Redis URL; without one, the process caches for itself."""
    return RedisCache(redis_url, prefix) if redis_url else LocalCache()
