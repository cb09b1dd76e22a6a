"""Every error of the worker's views as a problem of RFC 9457, as the edge has them."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from storage.errors import Failure, failure_of
from streams.outcomes import Answer, problem

log = logging.getLogger(__name__)

RETRY_SECONDS = 1

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ViewProblemError(Exception):
    """Ends a request with a problem."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.answer = problem(status, code, detail)


def respond(answer: Answer) -> web.Response:
    """Make the response of a status and a JSON body; what may pass by itself says when."""
    kind = "application/json" if answer.status < 400 else "application/problem+json"
    headers = {"Retry-After": str(RETRY_SECONDS)} if answer.status == 503 else {}
    headers["Content-Type"] = kind
    return web.Response(status=answer.status, body=answer.body, headers=headers)


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever went wrong into a problem; what is unexpected is logged, not told."""
    try:
        return await handler(request)
    except ViewProblemError as error:
        return respond(error.answer)
    except web.HTTPException as error:
        status = HTTPStatus(error.status)
        response = respond(problem(error.status, status.name, f"{status.phrase}."))
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception as error:
        if failure_of(error) is Failure.AWAY:
            log.warning("%s: the database is away: %r", request.path, error)
            return respond(problem(503, "UNAVAILABLE", "The database cannot be reached."))
        log.exception("%s failed", request.path)
        return respond(problem(500, "INTERNAL_ERROR", "Something went wrong; it was logged."))
