"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

import json
import logging
from typing import Any

import falcon
import falcon.asgi

from warpcore.bus.client import NoAnswerError, RefusedError
from warpcore.bus.messages import Error
from warpcore.bus.vocabulary import ErrorCode

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = 5

_STATUS_BY_CODE = {
    ErrorCode.NOT_FOUND: falcon.HTTP_404,
    ErrorCode.CONFLICT: falcon.HTTP_409,
    ErrorCode.INVALID: falcon.HTTP_422,
    ErrorCode.BAD_MESSAGE: falcon.HTTP_400,
    ErrorCode.UNKNOWN_TYPE: falcon.HTTP_501,
}
"""HTTP status of the scheduler's refusals. Any other code is an error in the scheduler, 502."""

log = logging.getLogger(__name__)


class Problem(falcon.HTTPError):
    """An error in one line; for bad values also one `{name, value, problem}` for each of them."""

    def __init__(
        self,
        status: str,
        detail: str,
        *,
        errors: list[dict[str, Any]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, description=detail, headers=headers)
        self.errors = errors or []


def refusal(error: Error) -> Problem:
    """The problem for a request that the scheduler refused."""
    return Problem(_STATUS_BY_CODE.get(error.code, falcon.HTTP_502), error.detail, errors=error.errors)


def unavailable(error: NoAnswerError) -> Problem:
    """The problem for a scheduler that does not answer."""
    return Problem(falcon.HTTP_503, str(error), headers={"Retry-After": str(RETRY_AFTER_S)})


def bad_parameter(name: str, value: object, allowed: str) -> Problem:
    """The problem for an unknown query parameter, or for one with an impossible value."""
    fault = {"name": name, "value": value, "problem": allowed}
    return Problem(falcon.HTTP_400, f"query parameter {name} = {value}: {allowed}", errors=[fault])


def bad_field(name: str, value: object, allowed: str) -> Problem:
    """The problem for a field of the body with an impossible value."""
    fault = {"name": name, "value": value, "problem": allowed}
    return Problem(falcon.HTTP_422, f"{name} = {json.dumps(value, ensure_ascii=False)}: {allowed}", errors=[fault])


def write_problem(req: falcon.asgi.Request, resp: falcon.asgi.Response, error: falcon.HTTPError) -> None:
    """Write the problem document of a 4xx or 5xx answer."""
    title = (
        error.status.partition(" ")[2] if isinstance(error.status, str) else falcon.code_to_http_status(error.status)
    )
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": error.status_code,
        "detail": error.description or _plain_detail(req, error),
    }
    if isinstance(error, Problem) and error.errors:
        document["errors"] = [{**fault, "value": _tellable(fault.get("value"))} for fault in error.errors]
    resp.data = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    resp.content_type = PROBLEM_JSON


def _tellable(value: Any) -> Any:
    """A refused value as JSON can say it: one with an infinite number in it as its text."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return str(value)
    return value


def _plain_detail(req: falcon.asgi.Request, error: falcon.HTTPError) -> str:
    if error.status_code == 404:
        return f"there is nothing at {req.path}"
    if error.status_code == 405:
        return f"{req.method} is not possible at {req.path}"
    return error.title or str(error.status)


async def report_unexpected(
    req: falcon.asgi.Request, resp: falcon.asgi.Response | None, error: Exception, params: dict[str, Any]
) -> None:
    """Log an error of ours with its traceback, and tell the client that it is ours."""
    log.exception("%s %s failed", req.method, req.path, exc_info=error)
    raise Problem(falcon.HTTP_500, f"{req.method} {req.path} failed by an error in warpcore; logs/api.log says why")


async def report_refused(
    req: falcon.asgi.Request, resp: falcon.asgi.Response | None, error: RefusedError, params: dict[str, Any]
) -> None:
    """Answer with the scheduler's refusal."""
    raise refusal(error.error)


async def report_unavailable(
    req: falcon.asgi.Request, resp: falcon.asgi.Response | None, error: NoAnswerError, params: dict[str, Any]
) -> None:
    """Answer that the scheduler does not answer."""
    raise unavailable(error)
