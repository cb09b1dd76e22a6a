"""A quota: what may be spent, what is left, and what is told of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web.quotas import Grant, Quota, read_quota, spend

TEN = Quota(requests=10, span_seconds=5)


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("", None),
        ("100/10s", Quota(100, 10)),
        ("1/1s", Quota(1, 1)),
        ("1000/5m", Quota(1000, 300)),
        ("9999999/24h", Quota(9_999_999, 86_400)),
    ],
)
def test_a_quota_is_written_as_requests_and_span(text: str, quota: Quota | None) -> None:
    assert read_quota(text) == quota


@pytest.mark.parametrize(
    "text", ["100", "0/1s", "1/0s", "-1/1s", "1/25h", "1/s", "1 / 1s", "1/1d"]
)
def test_what_is_no_quota_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="100/10s"):
        read_quota(text)


def spent(quota: Quota, *at_ms: float) -> list[Grant]:
    grants, full_ms = [], 0.0
    for now_ms in at_ms:
        grant, full_ms = spend(quota, full_ms, now_ms)
        grants.append(grant)
    return grants


def test_a_quota_is_spent_in_a_burst_and_comes_back_evenly() -> None:
    grants = spent(TEN, *[1_000.0] * 12, 1_499.0, 1_500.0, 1_500.0)
    assert [grant.remaining for grant in grants] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0]
    assert [grant.is_allowed for grant in grants] == [True] * 10 + [False] * 3 + [True, False]
    assert grants[0].header == '"default";r=9;t=1'
    assert grants[9].header == '"default";r=0;t=5'
    assert TEN.policy == '"default";q=10;w=5'


@settings(deadline=None)
@given(
    quota=st.builds(Quota, st.integers(1, 50), st.integers(1, 60)),
    gaps=st.lists(st.floats(0, 5_000), max_size=120),
)
def test_no_span_ever_has_more_than_twice_the_quota_and_the_told_times_are_true(
    quota: Quota, gaps: list[float]
) -> None:
    now = full = 0.0
    allowed: list[float] = []
    for gap in gaps:
        now += gap
        grant, after = spend(quota, full, now)
        if grant.is_allowed:
            allowed.append(now)
        else:
            assert after == full
            again, _ = spend(quota, full, now + grant.retry_seconds * 1000)
            assert again.is_allowed
        full = after
        assert (grant.remaining > 0) == spend(quota, full, now)[0].is_allowed
        within = [at for at in allowed if at > now - quota.span_seconds * 1000]
        assert len(within) <= 2 * quota.requests
