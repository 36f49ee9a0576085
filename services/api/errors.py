"""Errors as RFC 9457 problem documents."""

from __future__ import annotations

import json
import logging
from typing import Annotated, Any, Literal

import falcon
import falcon.asgi
import msgspec
from msgspec import Meta, Struct

from warpcore.bus.client import NoAnswerError, RefusedError
from warpcore.bus.messages import Error
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.api.checking import MOST_FAULTS
from warpcore.services.process.logs import cut

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = 5
LONGEST_VALUE = 1000
"""Characters of a refused value that are told."""
LONGEST_DETAIL = 4000
"""Characters of the line that says what happened."""

_STATUS_BY_CODE = {
    ErrorCode.FORBIDDEN: falcon.HTTP_403,
    ErrorCode.NOT_FOUND: falcon.HTTP_404,
    ErrorCode.CONFLICT: falcon.HTTP_409,
    ErrorCode.INVALID: falcon.HTTP_422,
    ErrorCode.BAD_MESSAGE: falcon.HTTP_400,
    ErrorCode.UNKNOWN_TYPE: falcon.HTTP_501,
}
"""HTTP status of the scheduler's refusals. Any other code is an error in the scheduler, 502."""

STATUS_MEANINGS = {
    400: "The body is no JSON object, or a query parameter is unknown or impossible.",
    401: "No token was sent, or one that is not known, has expired or was revoked.",
    403: "The token's role may not do this, or a browser sent a change for a page of another web site.",
    404: "There is nothing at this path.",
    405: "This method is not possible there.",
    408: "The head or the body of the request did not come to its end in time.",
    409: "The request does not fit the present state.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    421: "The header `Host` has a name that is not this server's; `--allow-host` gives it more.",
    422: "Values are impossible; `errors` lists each, and nothing has changed.",
    429: "The client asks too often or too much at once; `Retry-After` says when to ask again. Nothing was done.",
    500: "An error in warpcore; `logs/api.log` says why.",
    502: "An error in warpcore; `logs/scheduler.log` says why.",
    503: "The scheduler does not answer; `Retry-After` says when to ask again. The request is not sent later, but it "
    "may have reached the scheduler: look before you repeat it.",
}
"""What a problem document's status means, where an operation says nothing more."""

log = logging.getLogger(__name__)


class Fault(Struct, frozen=True):
    """A value that cannot be."""

    name: str
    value: Any
    problem: Annotated[str, Meta(description="What is wrong with it, or what to give.")]


class ProblemDocument(Struct, frozen=True, omit_defaults=True):
    """An error (RFC 9457)."""

    type: Literal["about:blank"]
    title: Annotated[str, Meta(description="The status in words.")]
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: Annotated[str, Meta(description="One line: what happened, where, and what to do.")]
    errors: Annotated[list[Fault], Meta(description="Where values are wrong, each of them.")] = []


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
    shown = cut(str(value), LONGEST_VALUE)
    return Problem(falcon.HTTP_400, f"query parameter {name} = {shown}: {allowed}", errors=[fault])


def bad_field(name: str, value: object, allowed: str) -> Problem:
    """The problem for a field of the body with an impossible value."""
    fault = {"name": name, "value": value, "problem": allowed}
    return Problem(falcon.HTTP_422, f"{name} = {_in_line(value)}: {allowed}", errors=[fault])


def write_problem(req: falcon.asgi.Request, resp: falcon.asgi.Response, error: falcon.HTTPError) -> None:
    """Write the problem document of a 4xx or 5xx answer."""
    title = (
        error.status.partition(" ")[2] if isinstance(error.status, str) else falcon.code_to_http_status(error.status)
    )
    faults = error.errors if isinstance(error, Problem) else []
    document = ProblemDocument(
        type="about:blank",
        title=title,
        status=error.status_code,
        detail=cut(error.description or _plain_detail(req, error), LONGEST_DETAIL),
        errors=[_fault(one) for one in faults[:MOST_FAULTS]],
    )
    resp.data = msgspec.json.encode(document)
    resp.content_type = PROBLEM_JSON


def _fault(told: dict[str, Any]) -> Fault:
    name, problem = (cut(str(told.get(field, "")), LONGEST_VALUE) for field in ("name", "problem"))
    return Fault(name, _tellable(told.get("value")), problem)


def _in_line(value: Any) -> str:
    """A value within a line of text: as JSON, where that can say it."""
    told = _tellable(value)
    return told if isinstance(told, str) and told is not value else json.dumps(told, ensure_ascii=False)


def _tellable(value: Any) -> Any:
    """A refused value as JSON can say it: with an infinite number in it as its text, and of a long one its begin."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    except ValueError:
        text, value = str(value), str(value)
    return value if len(text) <= LONGEST_VALUE else cut(text, LONGEST_VALUE)


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
