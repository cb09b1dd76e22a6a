"""Every error of the edge as a problem of RFC 9457: one exception, one mapping, one middleware."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from storage.errors import Failure, failure_of
from streams.outcomes import Answer, problem
from web.request_ids import begin_request

log = logging.getLogger(__name__)

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
RETRY_SECONDS = 1
KAFKA_AWAY = "Kafka cannot be reached."
KAFKA_FULL = "Kafka takes no commands at present."
DATABASE_AWAY = "The database cannot be reached."
NOBODY_SERVES = "No worker serves this key's line at present; nothing was accepted."
TOO_MANY_WAITING = "Too many commands wait before this one; nothing was accepted."
STOPPING = "This edge is stopping."

# The statuses that aiohttp itself answers with; others are named by their phrase.
_CODE_BY_STATUS = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "BODY_TOO_LARGE",
}
_DETAIL_BY_STATUS = {
    404: "There is no such resource; GET /api/v1 lists them all.",
    413: "The body is larger than 64 KiB.",
}


class ProblemError(Exception):
    """Ends a request with a problem. `members` say more, by their wire names."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.answer = problem(status, code, detail, **members)
        self.headers = headers


class InvalidRequestError(ProblemError):
    """The request is not as documented: 400, with every field that is wrong."""

    def __init__(self, *errors: tuple[str, str]) -> None:
        detail = "The request is invalid: " + "; ".join(f"{f}: {m}" for f, m in errors[:3])
        listed = [{"field": field, "message": message} for field, message in errors]
        super().__init__(400, "INVALID_REQUEST", detail, errors=listed)


class UnavailableError(ProblemError):
    """Something that the request needs is away; nothing was accepted, so it may be repeated."""

    def __init__(self, detail: str, retry_seconds: int = RETRY_SECONDS) -> None:
        retry = {"Retry-After": str(retry_seconds)}
        super().__init__(503, "UNAVAILABLE", detail, headers=retry)


class OutcomeUnknownError(ProblemError):
    """The command was handed to Kafka, and nobody can say yet what became of it."""

    def __init__(self, command_id: str) -> None:
        detail = (
            "The command may or may not be carried out. Ask for it by its commandId, or send the "
            "request again with the same Idempotency-Key."
        )
        super().__init__(
            503,
            "OUTCOME_UNKNOWN",
            detail,
            headers={"Command-Id": command_id, "Retry-After": str(RETRY_SECONDS)},
            commandId=command_id,
        )


def respond(answer: Answer, headers: Mapping[str, str] | None = None) -> web.Response:
    """Make the response of a status and a JSON body; from 400 on the body is a problem."""
    kind = JSON if answer.status < 400 else PROBLEM_JSON
    named = {"Content-Type": kind} if headers is None else {"Content-Type": kind, **headers}
    return web.Response(status=answer.status, body=answer.body, headers=named)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever went wrong into a problem; what is unexpected is logged, not told."""
    request_id = begin_request(request)
    try:
        return await handler(request)
    except ProblemError as error:
        return _named(respond(error.answer, error.headers), request_id)
    except web.HTTPException as error:
        return _named(respond_to_http_error(error), request_id)
    except web.RequestPayloadError:
        unread = InvalidRequestError(("body", "It cannot be read"))
        return _named(respond(unread.answer), request_id)
    except Exception as error:
        return _named(_respond_to_unexpected(request, error), request_id)


def _named(response: web.Response, request_id: str) -> web.Response:
    """Put the id of the request into a problem: it has no character that JSON would escape."""
    assert isinstance(response.body, bytes)
    response.body = response.body[:-1] + f',"requestId":"{request_id}"}}'.encode()
    return response


async def expect(request: web.Request) -> web.Response | None:
    """Answer an `Expect` header: go on with the body, or say that nothing else is understood."""
    if request.headers["Expect"].lower() != "100-continue":
        return respond_to_http_error(web.HTTPExpectationFailed())
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    # aiohttp takes an error page for impossible once something is out; the body is not begun.
    request.writer.output_size = 0
    return None


def respond_to_http_error(error: web.HTTPException) -> web.Response:
    """Turn an error of aiohttp itself into a problem."""
    status = error.status
    code = _CODE_BY_STATUS.get(status, HTTPStatus(status).name)
    detail = _DETAIL_BY_STATUS.get(status, f"{HTTPStatus(status).phrase}.")
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return respond(problem(status, code, detail), headers)


def _respond_to_unexpected(request: web.Request, error: Exception) -> web.Response:
    if failure_of(error) is Failure.AWAY:
        log.warning("%s %s: database away: %r", request.method, request.path, error)
        away = UnavailableError(DATABASE_AWAY)
        return respond(away.answer, away.headers)
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return respond(problem(500, "INTERNAL_ERROR", "Something went wrong; it was logged."))
