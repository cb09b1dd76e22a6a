"""What the clients have learned from answers, to fill in what a plan could only refer to."""

from collections import OrderedDict
from typing import Any

from tests.chaos.workload import CouponOf, OrderOf, Planned

REMEMBERED = 20_000


class Memory:
    """Contents as they were sent first, and what came back, by the number of the attempt."""

    def __init__(self) -> None:
        self._sent: OrderedDict[int, dict[str, Any]] = OrderedDict()
        self._command_ids: dict[int, str] = {}
        self._coupon_ids: dict[int, str] = {}

    def fill_in(self, planned: Planned) -> dict[str, Any]:
        """Return the content to send: for a retry the very same as the first time."""
        root = planned.retry_of or planned.number
        if root not in self._sent:
            filled = {name: self._known(value) for name, value in planned.payload.items()}
            self._sent[root] = {n: value for n, value in filled.items() if value is not None}
            self._forget()
        return self._sent[root]

    def command_id(self, planned: Planned) -> str | None:
        """Return the id of a command that went over HTTP, once an answer has told it."""
        return self._command_ids.get(planned.retry_of or planned.number)

    def latest_command_id(self) -> str | None:
        """Return the id that was learned last."""
        return next(reversed(self._command_ids.values()), None)

    def sample_of_command_ids(self, most: int) -> list[str]:
        """List known ids, evenly over all of them."""
        known = list(self._command_ids.values())
        return known[:: max(1, len(known) // most)]

    def learn(self, planned: Planned, command_id: str | None, body: Any) -> None:
        """Take note of an answer."""
        root = planned.retry_of or planned.number
        if command_id is not None:
            self._command_ids[root] = command_id
        if isinstance(body, dict) and "couponId" in body and planned.type == "IssueCoupon":
            self._coupon_ids[root] = body["couponId"]

    def _known(self, value: Any) -> Any:
        if isinstance(value, OrderOf):
            # Where nobody has told the order's id, an order is asked for that does not exist.
            return self._command_ids.get(value.number, f"order-{value.number}")
        if isinstance(value, CouponOf):
            return self._coupon_ids.get(value.number)
        return value

    def _forget(self) -> None:
        while len(self._sent) > REMEMBERED:
            oldest, _ = self._sent.popitem(last=False)
            self._command_ids.pop(oldest, None)
            self._coupon_ids.pop(oldest, None)
