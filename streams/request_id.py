"""The id of the request that is under way, for whatever is logged meanwhile."""

from contextvars import ContextVar

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
