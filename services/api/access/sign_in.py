"""`/api/sign-in`: a browser exchanges a token or the code of a link for a cookie, and gives it back."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import falcon
import falcon.asgi
from msgspec import Meta

from warpcore.services.access.credentials import Holder, Kind, RefusedCredentialError, TokenRole
from warpcore.services.access.tokens import SignedIn, TokensError
from warpcore.services.api.access.known import Known
from warpcore.services.api.access.middleware import holder_of_request, not_signed_in
from warpcore.services.api.access.rules import SIGN_IN_PATH
from warpcore.services.api.bodies import Body
from warpcore.services.api.errors import Problem
from warpcore.services.api.operations import operation
from warpcore.services.api.views import SignedInView, utc

OPEN = "REST is open to everyone here (--insecure): there is nothing to sign in to"


class SignInBody(Body, frozen=True):
    """What a browser signs in with."""

    code: Annotated[str, Meta(description="A token, or what follows `#sign-in=` in a sign-in or viewer link.")]


class SignInResource:
    """`/api/sign-in`."""

    def __init__(self, known: Known | None) -> None:
        self._known = known

    @operation()
    async def on_get(self, req: falcon.asgi.Request) -> SignedInView:
        """Who is signed in, and what they may do."""
        return _view(holder_of_request(req))

    @operation(
        errors={401: "The token or code does not hold; one line says why.", 409: "REST is open to everyone."},
        headers={"Set-Cookie": "The sign-in: HttpOnly, SameSite=Strict, and Secure where the request came by TLS."},
    )
    async def on_post(self, body: SignInBody, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> SignedInView:
        """Sign this browser in: exchange a token, or the code of a link, for a cookie.

        A code of `warpcore up` or of `warpcore tokens sign-in` can be exchanged once, a viewer link once for each
        browser that it is made for.
        """
        if self._known is None:
            raise Problem(falcon.HTTP_409, OPEN)
        signed_in = await exchanged(self._known, body.code)
        holder = signed_in.holder
        age_s = None if holder.expires_at is None else max(0, int(holder.expires_at - time.time()))
        resp.cache_control = ["no-store"]
        # A proxy that ends TLS in front says so. Were that a lie, the cookie would only be sent less often.
        secure = "https" in (req.scheme, req.forwarded_scheme)
        cookie, text = self._known.cookie, signed_in.text
        resp.set_cookie(cookie, text, max_age=age_s, path="/", secure=secure, http_only=True, same_site="Strict")
        return _view(holder)

    @operation(status=204)
    async def on_delete(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Sign this browser out. Its cookie is worth nothing from then on, wherever else it is kept."""
        holder = holder_of_request(req)
        if self._known is None or holder is None or holder.kind is not Kind.SIGN_IN:
            return
        try:
            await asyncio.to_thread(self._known.store.end, holder.id)
        except TokensError as error:
            raise Problem(falcon.HTTP_503, str(error)) from None
        await self._known.look()
        resp.unset_cookie(self._known.cookie, path="/", same_site="Strict")


async def exchanged(known: Known, code: str) -> SignedIn:
    """The sign-in for a token or code. Raises Problem 401, and 503 where the tokens cannot be read."""
    try:
        signed_in = await asyncio.to_thread(known.store.exchange, code.strip(), time.time())
    except RefusedCredentialError as error:
        raise not_signed_in(error.refusal) from None
    except TokensError as error:
        raise Problem(falcon.HTTP_503, str(error)) from None
    await known.look()
    return signed_in


def routes(known: Known | None) -> dict[str, object]:
    """The resource of this module by its path."""
    return {SIGN_IN_PATH: SignInResource(known)}


def _view(holder: Holder | None) -> SignedInView:
    if holder is None:
        return SignedInView(user="", role=TokenRole.OPERATE, expires_at=None, is_open=True)
    return SignedInView(user=holder.name, role=holder.role, expires_at=utc(holder.expires_at or 0), is_open=False)
