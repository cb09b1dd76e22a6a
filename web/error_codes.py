"""Every `code` that a problem can have: its status, and what it tells whoever sent the request.

One table, for the description of the API and for docs/errors.md; a test looks through the source
for codes that are missing here.
"""

from typing import NamedTuple

from streams.outcomes import STATUS_BY_REASON


class ErrorCode(NamedTuple):
    """The HTTP status that a code comes with, and what it means."""

    status: int
    meaning: str


_REFUSALS = {
    "BALANCE_LIMIT_EXCEEDED": "The charge would take the balance over its maximum.",
    "CHARGE_EXISTS": "Told as `IDEMPOTENCY_KEY_REUSED`.",
    "COUPON_ALREADY_ISSUED": "The user holds a copy of this coupon already.",
    "COUPON_ALREADY_USED": "The copy is spent.",
    "COUPON_NOT_FOUND": "There is no coupon of this code.",
    "COUPON_NOT_HELD": "The user holds no copy of this coupon.",
    "COUPON_NOT_VALID_NOW": "The coupon is not issued at this time.",
    "COUPON_PAUSED": "No copies are issued for now.",
    "COUPON_SOLD_OUT": "All copies are issued.",
    "COUPON_TOTAL_BELOW_ISSUED": "A coupon's total cannot fall below what is issued.",
    "INSUFFICIENT_BALANCE": "The balance is less than what is to be paid.",
    "ORDER_ALREADY_CANCELLED": "The order is cancelled already.",
    "ORDER_ALREADY_PAID": "The order is paid already.",
    "ORDER_CANCELLED": "The order is cancelled, and cannot be paid any more.",
    "ORDER_EXISTS": "Told as `IDEMPOTENCY_KEY_REUSED`.",
    "ORDER_EXPIRED": "The order's time to pay has run out.",
    "ORDER_NOT_FOUND": "There is no such order of this user.",
    "OUT_OF_STOCK": "There are fewer pieces of a product than the order has.",
    "PRODUCT_NOT_FOUND": "There is no such product.",
    "STOCK_LIMIT_EXCEEDED": "The stock would pass its maximum.",
}
_OTHERS = {
    "ALREADY_APPLIED": ErrorCode(410, "The record was applied; its outcome is not kept any more."),
    "BODY_TOO_LARGE": ErrorCode(413, "The body is larger than 64 KiB."),
    "COMMAND_NOT_FOUND": ErrorCode(404, "There is no such command, or it is older than is kept."),
    "DEAD_LETTER": ErrorCode(
        400,
        "The command could not be applied, and is kept for an operator; 500 for a bug of ours.",
    ),
    "DEAD_LETTER_CLOSED": ErrorCode(409, "The dead letter was replayed or discarded before."),
    "EXPECTATION_FAILED": ErrorCode(417, "Nothing but `Expect: 100-continue` is understood."),
    "HEAD_TOO_LARGE": ErrorCode(
        431, "The request line or a header is longer than 8190 bytes, or there are too many."
    ),
    "IDEMPOTENCY_KEY_REUSED": ErrorCode(
        422, "The idempotency key, or the command id, was used for another request."
    ),
    "INSUFFICIENT_SCOPE": ErrorCode(403, "The token has not the scope that this needs."),
    "INTERNAL_ERROR": ErrorCode(500, "Something went wrong; it was logged."),
    "INVALID_REQUEST": ErrorCode(
        400, "The request is not as documented; `errors` has each field."
    ),
    "METHOD_NOT_ALLOWED": ErrorCode(405, "The resource has other methods; `Allow` lists them."),
    "NOT_ALLOWED": ErrorCode(403, "The service may not give this command; told on Kafka alone."),
    "NOT_FOUND": ErrorCode(404, "There is no such resource."),
    "NOT_YOUR_USER": ErrorCode(403, "The `userId` is not the token's subject."),
    "OUTCOME_UNKNOWN": ErrorCode(
        503,
        "The command may or may not be carried out. Ask for it by its `commandId`, or send the "
        "request again with the same `Idempotency-Key`.",
    ),
    "OWNER_AWAY": ErrorCode(503, "A ranking worker's partitions are moving; ask again."),
    "RANKING_NOT_FOUND": ErrorCode(404, "No ranking is stored for this date, or none yet."),
    "RATE_LIMITED": ErrorCode(
        429,
        "More requests of one principal than its quota; nothing was accepted. See `RateLimit`.",
    ),
    "REQUEST_TIMEOUT": ErrorCode(408, "The body did not come in time; nothing was accepted."),
    "TOO_MANY_IN_FLIGHT": ErrorCode(
        503, "This edge has as many requests in hand as it takes; nothing was accepted."
    ),
    "TOO_MANY_WAITING": ErrorCode(
        429, "Too many commands wait in this key's line; nothing was accepted. See `Retry-After`."
    ),
    "UNAUTHENTICATED": ErrorCode(
        401, "There is no token, or one that is not believed; `WWW-Authenticate` says which."
    ),
    "UNAVAILABLE": ErrorCode(
        503, "Something that is needed is away; nothing was accepted. See `Retry-After`."
    ),
    "UNSUPPORTED_MEDIA_TYPE": ErrorCode(
        415, "A body is sent as JSON: `Content-Type: application/json`."
    ),
}
ERROR_CODES: dict[str, ErrorCode] = dict(
    sorted(
        (
            {code: ErrorCode(STATUS_BY_REASON[code], said) for code, said in _REFUSALS.items()}
            | _OTHERS
        ).items()
    )
)


def error_table() -> str:
    """Write the table as Markdown."""
    rows = [f"| `{c}` | {error.status} | {error.meaning} |" for c, error in ERROR_CODES.items()]
    return "\n".join(["| code | status | what it means |", "|---|--:|---|", *rows])
