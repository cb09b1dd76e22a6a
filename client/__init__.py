"""A client of Fairline's HTTP API: typed, with keys and retries of its own. See docs/api.md."""

from client.errors import (
    FairlineError,
    OutcomeUnknownError,
    RefusedError,
    UnavailableError,
)
from client.fairline import Fairline, Promise
from client.retrying import Retrying
from client.writes import (
    Write,
    cancel_order,
    charge_balance,
    create_order,
    issue_coupon,
    pay_order,
)

__all__ = [
    "Fairline",
    "FairlineError",
    "OutcomeUnknownError",
    "Promise",
    "RefusedError",
    "Retrying",
    "UnavailableError",
    "Write",
    "cancel_order",
    "charge_balance",
    "create_order",
    "issue_coupon",
    "pay_order",
]
