"""Answers an issue of a sold-out coupon at once, without the log; SQL has the last word.

The flag only says that looking is worth while. It lives for a second, and the database is asked
before it is believed, so that a raised total or a known command is never missed.
"""

import time
from collections.abc import Sequence

from domain.commands import IssueCoupon
from domain.coupons import decide_issue_coupon
from domain.events import Reason, Refusal
from domain.ids import CommandId, CouponCode, UserId
from domain.state import State, Terms
from storage.command_log import CommandKey, find_known
from storage.coupons import load_coupons, load_user_coupons
from storage.engine import Database
from streams import wire
from streams.outcomes import Answer, answer
from web.command_path import Submission
from web.gathering import Gathering
from web.shared_cache import SharedCache

FLAG_SECONDS = 1.0
# Between two looks at a shared flag; another edge's news may come this much later.
LOOK_SECONDS = 0.1
# The broker's clock decides about validity, and this one may differ by so much.
CLOCK_MS_MAX = 5_000
_CODES_MAX = 10_000
_SIGN = b'"code":"COUPON_SOLD_OUT"'


class SoldOut:
    """Flags of sold-out coupons, and the one look into SQL that confirms them."""

    def __init__(self, cache: SharedCache, database: Database) -> None:
        self._cache = cache
        self._database = database
        self._flags: dict[str, tuple[bool, float]] = {}
        self._looks: Gathering[Submission, Answer] = Gathering(self._look)

    async def find_refusal(self, submission: Submission) -> Answer | None:
        """Find the refusal of an issue; None where only the log can tell."""
        assert isinstance(submission.payload, wire.IssueCoupon)
        if not await self._is_flagged(submission.payload.coupon_code):
            return None
        refusal = await self._looks.get(submission)
        if refusal is not None:
            # SQL has said so again: while somebody asks, nobody need go to the log for it.
            self._remember(submission.payload.coupon_code, FLAG_SECONDS, is_flagged=True)
        return refusal

    def is_known(self, coupon_code: str) -> bool:
        """Tell whether this edge has heard that a coupon is sold out, a moment ago."""
        return bool(self._flag_here(coupon_code))

    async def note(self, coupon_code: str, outcome: Answer) -> None:
        """Raise the flag where an outcome says that the coupon is sold out."""
        if outcome.status == 409 and _SIGN in outcome.body:
            if not self._flag_here(coupon_code):
                await self._cache.put(_key(coupon_code), b"1", FLAG_SECONDS)
            self._remember(coupon_code, FLAG_SECONDS, is_flagged=True)

    async def _is_flagged(self, coupon_code: str) -> bool:
        here = self._flag_here(coupon_code)
        if here is not None:
            return here
        # Whoever comes while this one looks need not look too.
        self._remember(coupon_code, LOOK_SECONDS, is_flagged=False)
        (flag,) = await self._cache.get(_key(coupon_code))
        if flag is not None:
            self._remember(coupon_code, FLAG_SECONDS, is_flagged=True)
        return flag is not None

    def _flag_here(self, coupon_code: str) -> bool | None:
        is_flagged, until = self._flags.get(coupon_code, (False, 0.0))
        return is_flagged if time.monotonic() < until else None

    def _remember(self, coupon_code: str, seconds: float, *, is_flagged: bool) -> None:
        if len(self._flags) >= _CODES_MAX:
            self._flags.clear()
        self._flags[coupon_code] = (is_flagged, time.monotonic() + seconds)

    async def _look(self, submissions: Sequence[Submission]) -> dict[Submission, Answer]:
        keyed = [_command_key(s) for s in submissions if s.is_keyed]
        issues = {s: _issue_of(s) for s in submissions}
        async with self._database.connect() as connection:
            known = await find_known(connection, keyed)
            coupons = await load_coupons(connection, {i.coupon_code for i in issues.values()})
            copies = await load_user_coupons(
                connection,
                {issue.user_id for issue in issues.values()},
                [coupon.coupon_id for coupon in coupons.loaded.values()],
            )
        state = State(coupons=coupons, user_coupons=copies)
        refused = {s: refuse_sold_out(state, i) for s, i in issues.items()}
        return {s: no for s, no in refused.items() if no and _command_key(s) not in known}


def _key(coupon_code: str) -> str:
    return f"sold-out:{coupon_code}"


def _command_key(submission: Submission) -> CommandKey:
    return CommandKey(submission.principal, submission.command_id)


def _issue_of(submission: Submission) -> IssueCoupon:
    payload = submission.payload
    assert isinstance(payload, wire.IssueCoupon)
    return IssueCoupon(
        CommandId(submission.command_id), UserId(payload.user_id), CouponCode(payload.coupon_code)
    )


def refuse_sold_out(state: State, issue: IssueCoupon, now_ms: int | None = None) -> Answer | None:
    """Refuse an issue as sold out; None where the rule says anything else.

    The rule itself is asked, a little before and a little after now: the coupon must be valid
    whichever clock is right.
    """
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    refusal = None
    for at_ms in (now_ms - CLOCK_MS_MAX, now_ms + CLOCK_MS_MAX):
        refusal = decide_issue_coupon(state, issue, Terms(at_ms)).outcome
        if not isinstance(refusal, Refusal) or refusal.reason is not Reason.COUPON_SOLD_OUT:
            return None
    return None if refusal is None else answer(refusal)
