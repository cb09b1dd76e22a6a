"""A quota of requests: a number in each span of time, spent evenly or in bursts (GCRA).

Pure: clocks are arguments, in milliseconds. A client's whole state is one number: the moment at
which its quota will be full again (ITU-T I.371's theoretical arrival time).
"""

import math
import re
from dataclasses import dataclass

_WRITTEN = re.compile(r"([1-9][0-9]{0,6})/([1-9][0-9]{0,4})(s|m|h)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_SPAN_SECONDS_MAX = 86_400


@dataclass(frozen=True, slots=True)
class Quota:
    """So many requests in each span."""

    requests: int
    span_seconds: int

    @property
    def policy(self) -> str:
        """The quota as `RateLimit-Policy` tells it (draft-ietf-httpapi-ratelimit-headers)."""
        return f'"default";q={self.requests};w={self.span_seconds}'

    @property
    def step_ms(self) -> float:
        """How long one request's worth takes to come back."""
        return self.span_seconds * 1000 / self.requests


@dataclass(frozen=True, slots=True)
class Grant:
    """What a request is told: whether it may, and what is left after it."""

    is_allowed: bool
    remaining: int
    full_seconds: int
    """When the whole quota will be there again."""
    retry_seconds: int
    """When one more request will be allowed."""

    @property
    def header(self) -> str:
        """What is left as `RateLimit` tells it."""
        return f'"default";r={self.remaining};t={self.full_seconds}'


def read_quota(text: str) -> Quota | None:
    """Read a quota such as `100/10s`; None for the empty text. Raises ValueError."""
    if not text:
        return None
    found = _WRITTEN.fullmatch(text)
    span = int(found[2]) * _SECONDS[found[3]] if found else 0
    if found is None or span > _SPAN_SECONDS_MAX:
        message = f"expected requests per span, such as 100/10s, up to a day, not {text!r}"
        raise ValueError(message)
    return Quota(int(found[1]), span)


def spend(quota: Quota, full_ms: float, now_ms: float) -> tuple[Grant, float]:
    """Spend one request of a quota that is full at `full_ms`; return what is told, and then.

    A request that is refused spends nothing.
    """
    span_ms = quota.span_seconds * 1000
    then_ms = max(full_ms, now_ms) + quota.step_ms
    # Sums of steps are off by a little; nobody is refused for a thousandth of one.
    is_allowed = then_ms - now_ms <= span_ms + quota.step_ms / 1000
    return grant_of(quota, is_allowed, (then_ms if is_allowed else full_ms) - now_ms), (
        then_ms if is_allowed else full_ms
    )


def grant_of(quota: Quota, is_allowed: bool, until_full_ms: float) -> Grant:
    """Tell what is left where the quota is full in so many milliseconds."""
    free_ms = quota.span_seconds * 1000 - until_full_ms
    remaining = max(0, math.floor(free_ms / quota.step_ms + 1e-3))
    wait_ms = max(0.0, quota.step_ms - free_ms)
    return Grant(
        is_allowed,
        remaining,
        full_seconds=max(1, math.ceil(until_full_ms / 1000)),
        retry_seconds=max(1, math.ceil(wait_ms / 1000)),
    )
