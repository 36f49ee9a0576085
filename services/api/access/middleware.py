"""Finds out who sends each request, before anything else looks at it, and refuses what they may not do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import cast

import falcon
import falcon.asgi

from warpcore.services.access.credentials import Holder, Kind, Refusal, RefusedCredentialError, TokenRole
from warpcore.services.api.access.acting import acting_user
from warpcore.services.api.access.known import Known
from warpcore.services.api.access.rules import SIGN_IN_PATH, allows, needed_role
from warpcore.services.api.errors import Problem
from warpcore.services.api.http.rates import FairShares

SCHEME = "Bearer"
CHALLENGE = f'{SCHEME} realm="warpcore"'
"""By this header of a 401 the page tells warpcore's own from that of a proxy in front."""


class Access:
    """Sets `user`, `role` and `holder` of each request's context. Without `known`, REST is open to everyone.

    `on_refused` is told of each request that its sender's role does not allow: what was asked, and why it may not be.
    What is refused counts in `shares` too, which no middleware behind this one would see.
    """

    def __init__(
        self, known: Known | None, on_refused: Callable[[str, str], None], shares: FairShares | None = None
    ) -> None:
        self._known = known
        self._on_refused = on_refused
        self._shares = shares if shares is not None else FairShares()

    async def process_request(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Raises Problem 401 where nobody is signed in and somebody must be, 403 where the role is not enough, 429."""
        req.context.user, req.context.role, req.context.holder = "", None, None
        req.context.holds = _always
        acting_user.set("")
        if self._known is None:
            req.context.role = TokenRole.OPERATE
            return
        needed = needed_role(req.method, req.path)
        if needed is None and req.path.rstrip("/") != SIGN_IN_PATH:
            return
        count = partial(self._shares.process_request, req, resp)
        try:
            self._note(req, self._known, await self._holder(self._known, req, count))
        except RefusedCredentialError as error:
            if needed is not None:
                raise not_signed_in(error.refusal) from None
        if needed is not None and not allows(req.context.role, needed):
            await count()
            told = f"this needs a token with the role {needed}; {req.context.user} may {req.context.role} alone"
            self._on_refused(f"{req.method} {req.path}", told)
            raise Problem(falcon.HTTP_403, told)

    async def process_response(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, resource: object, succeeded: bool
    ) -> None:
        """Long answers break off where their reader's token is revoked meanwhile."""
        if resp.stream is not None and holder_of_request(req) is not None:
            resp.stream = _WhileItHolds(cast("AsyncIterator[bytes]", resp.stream), req.context.holds)

    def _note(self, req: falcon.asgi.Request, known: Known, holder: Holder) -> None:
        req.context.user, req.context.role, req.context.holder = holder.name, holder.role, holder
        req.context.holds = partial(known.holds, holder)
        acting_user.set(holder.name)

    async def _holder(self, known: Known, req: falcon.asgi.Request, count: Callable[[], Awaitable[None]]) -> Holder:
        """Raises RefusedCredentialError, after `count`. A token in the query is none: logs and histories keep it."""
        scheme, _, token = (req.get_header("Authorization") or "").partition(" ")
        if scheme.lower() == SCHEME.lower():
            return await known.identify(token.strip(), Kind.TOKEN, count)
        cookies = req.get_cookie_values(known.cookie)
        if not cookies:
            await count()
            raise RefusedCredentialError(Refusal.NONE)
        return await known.identify(cookies[0], Kind.SIGN_IN, count)


def not_signed_in(refusal: Refusal) -> Problem:
    """The problem for a request without a credential that holds."""
    return Problem(falcon.HTTP_401, str(refusal), headers={"WWW-Authenticate": CHALLENGE})


def holder_of_request(req: falcon.asgi.Request) -> Holder | None:
    """Who sent a request, None where that is nobody, or REST is open to everyone."""
    holder: Holder | None = req.context.holder
    return holder


def holds(req: falcon.asgi.Request) -> Callable[[], bool]:
    """What tells whether the sender of a request may still read its answer."""
    told: Callable[[], bool] = req.context.holds
    return told


class _WhileItHolds:
    """The pieces of a stream, which end with the credential of its reader. Falcon closes it."""

    def __init__(self, stream: AsyncIterator[bytes], holds: Callable[[], bool]) -> None:
        self._stream = stream
        self._pieces = aiter(stream)
        self._holds = holds

    def __aiter__(self) -> _WhileItHolds:
        return self

    async def __anext__(self) -> bytes:
        if not self._holds():
            raise StopAsyncIteration
        return await anext(self._pieces)

    async def close(self) -> None:
        """Close the stream."""
        close = getattr(self._stream, "close", None) or getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


def _always() -> bool:
    return True
