"""Holds each principal to its quota, on all edges together: one round trip to Redis a request.

Redis away or slow: each edge holds to the quota by itself. Off where no quota is set: then none of
this is in a request's way.
"""

import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from streams.metrics import REFUSED
from web.identity import identity_of
from web.problems import ProblemError
from web.quotas import Grant, Quota, grant_of, spend
from web.shared_cache import SharedCache

# As `spend`, but in Redis and by its clock: all edges have the same one.
SCRIPT = """
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + now[2] / 1000
local step_ms, span_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_ms = tonumber(redis.call('GET', KEYS[1]) or now_ms)
if full_ms < now_ms then full_ms = now_ms end
local then_ms = full_ms + step_ms
if then_ms - now_ms > span_ms + step_ms / 1000 then
  return {0, tostring(full_ms - now_ms)}
end
redis.call('SET', KEYS[1], string.format('%.3f', then_ms), 'PX', math.ceil(then_ms - now_ms))
return {1, tostring(then_ms - now_ms)}
"""
_PRINCIPALS_MAX = 50_000


class RateLimit:
    """The quota of every principal."""

    def __init__(self, quota: Quota, cache: SharedCache) -> None:
        self._quota = quota
        self._cache = cache
        self._full_ms: dict[str, float] = {}

    async def ask(self, principal: str) -> Grant:
        """Spend one request of a principal's quota."""
        quota = self._quota
        numbers = (quota.step_ms, quota.span_seconds * 1000)
        told = await self._cache.run_script(SCRIPT, f"rate:{principal}", *numbers)
        if told is None:
            return self._ask_here(principal, time.monotonic() * 1000)
        is_allowed, until_full_ms = told
        return grant_of(quota, bool(is_allowed), float(until_full_ms))

    def _ask_here(self, principal: str, now_ms: float) -> Grant:
        if len(self._full_ms) >= _PRINCIPALS_MAX:
            self._full_ms = {who: ms for who, ms in self._full_ms.items() if ms > now_ms}
        if len(self._full_ms) >= _PRINCIPALS_MAX:
            self._full_ms.clear()
        grant, self._full_ms[principal] = spend(
            self._quota, self._full_ms.get(principal, now_ms), now_ms
        )
        return grant


def limit_rate(limit: RateLimit, quota: Quota, exempt: frozenset[Handler]) -> Middleware:
    """Make the middleware; it stands behind whatever finds out who asks."""

    @web.middleware
    async def limited(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.handler in exempt:
            return await handler(request)
        grant = await limit.ask(_principal_of(request))
        headers = {"RateLimit-Policy": quota.policy, "RateLimit": grant.header}
        if not grant.is_allowed:
            REFUSED.labels("rate").inc()
            detail = f"More than {quota.requests} requests in {quota.span_seconds} s."
            headers["Retry-After"] = str(grant.retry_seconds)
            raise ProblemError(429, "RATE_LIMITED", detail, headers=headers)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(headers)
        return response

    return limited


def _principal_of(request: web.Request) -> str:
    """Return who is held to a quota: without authentication, the address that asks."""
    identity = identity_of(request)
    return f"p:{identity.principal}" if identity is not None else f"a:{request.remote}"
