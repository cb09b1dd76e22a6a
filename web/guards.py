"""What stands before the handlers of an edge: how much of its requests it takes, and of whom."""

from collections.abc import Sequence

from aiohttp.typedefs import Middleware

from web.in_flight import bound_requests
from web.operations import EVENTS, OPERATIONS
from web.quotas import Quota
from web.rate_limit import RateLimit, limit_rate
from web.shared_cache import SharedCache

# Whoever asks for an edge's health must hear of it above all when it is full.
_HEALTH = frozenset(h for h, operation in OPERATIONS.items() if operation.is_health)
# Streams last; they have a bound of their own.
_LASTING = frozenset(h for h, operation in OPERATIONS.items() if operation.kind == EVENTS)


def guards_of(
    requests_max: int, quota: Quota | None, cache: SharedCache, who: Sequence[Middleware] = ()
) -> list[Middleware]:
    """List the middlewares, the outermost first; without a quota nobody asks for one.

    `who` finds out who asks, if anything does: before anybody is held to a quota.
    """
    guards = [bound_requests(requests_max, _HEALTH | _LASTING), *who]
    if quota is not None:
        guards.append(limit_rate(RateLimit(quota, cache), quota, _HEALTH))
    return guards
