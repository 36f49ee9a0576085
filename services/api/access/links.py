"""`/api/links`: an operator gives viewer links away, and takes them back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import falcon
import falcon.asgi
from msgspec import Meta

from warpcore.services.access.changes import AccessAction
from warpcore.services.access.credentials import (
    DAY_S,
    LONGEST_LINK_DAYS,
    LONGEST_NAME,
    NAME_PATTERN,
    SIGN_IN_FRAGMENT,
    Kind,
    browsers_by_parent,
)
from warpcore.services.access.tokens import BadNameError, NameTakenError, TokensError, UnknownNameError
from warpcore.services.api.access.known import Known
from warpcore.services.api.access.rules import LINKS_PATH
from warpcore.services.api.access.sign_in import OPEN
from warpcore.services.api.bodies import Body
from warpcore.services.api.errors import Problem
from warpcore.services.api.operations import operation
from warpcore.services.api.views import LinkView, NewLinkView, utc

MOST_BROWSERS = 100

_STATUS = {
    UnknownNameError: falcon.HTTP_404,
    BadNameError: falcon.HTTP_422,
    NameTakenError: falcon.HTTP_409,
}

T = TypeVar("T")
Note = Callable[[AccessAction, str], Awaitable[None]]

log = logging.getLogger(__name__)


LinkName = Annotated[str, Meta(description="Name of a viewer link.")]


class LinkBody(Body, frozen=True):
    """A viewer link to make."""

    name: Annotated[
        str,
        Meta(max_length=LONGEST_NAME, pattern=NAME_PATTERN, description="What lists and the history call the link."),
    ]
    days: Annotated[float, Meta(gt=0, le=LONGEST_LINK_DAYS, description="It ends after so many days.")] = 7
    browsers: Annotated[int, Meta(ge=1, le=MOST_BROWSERS, description="So many browsers can be signed in by it.")] = 1


class LinksResource:
    """`/api/links`."""

    def __init__(self, known: Known | None, note: Note) -> None:
        self._known = known
        self._note = note

    @operation(errors={409: "REST is open to everyone."})
    async def on_get(self) -> list[LinkView]:
        """The viewer links that hold, for operators."""
        found = await _in_thread(self._known, lambda known: known.store.all())
        now = time.time()
        browsers = browsers_by_parent(found, now)
        return [
            LinkView(
                name=one.name,
                made_at=utc(one.made_at),
                expires_at=utc(one.expires_at or 0),
                browsers_left=one.uses_left or 0,
                signed_in=browsers[one.id],
            )
            for one in found
            if one.kind is Kind.LINK and one.holds(now)
        ]

    @operation(status=201, errors={409: "A token or link of that name holds already, or REST is open to everyone."})
    async def on_post(self, body: LinkBody, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> NewLinkView:
        """Make a link by which someone else sees this session, and changes nothing.

        Each browser exchanges its code once. It ends by itself, or when it is revoked.
        """
        now = time.time()
        end = now + body.days * DAY_S
        code = await _in_thread(self._known, lambda known: known.store.add_link(body.name, end, body.browsers, now))
        resp.cache_control = ["no-store"]
        log.info("%s has made the viewer link %s", req.context.user, body.name)
        await self._note(AccessAction.LINK_ADDED, f"viewer link {body.name} made, for {body.days:g} days")
        return NewLinkView(name=body.name, fragment=f"{SIGN_IN_FRAGMENT}{code}", expires_at=utc(end))


class LinkResource:
    """`/api/links/{link}`."""

    def __init__(self, known: Known | None, note: Note) -> None:
        self._known = known
        self._note = note

    @operation(status=204, errors={404: "No viewer link has this name.", 409: "REST is open to everyone."})
    async def on_delete(self, link: LinkName, req: falcon.asgi.Request) -> None:
        """Revoke a viewer link: the browsers that it has signed in see nothing more, at once."""
        now = time.time()

        await _in_thread(self._known, lambda known: known.store.revoke(link, now, [Kind.LINK]))
        log.info("%s has revoked the viewer link %s", req.context.user, link)
        await self._note(AccessAction.LINK_REVOKED, f"viewer link {link} revoked")


def routes(known: Known | None, note: Note) -> dict[str, object]:
    """The resources of this module by their paths; `note` tells the audit log what was done."""
    return {LINKS_PATH: LinksResource(known, note), f"{LINKS_PATH}/{{link}}": LinkResource(known, note)}


async def _in_thread(known: Known | None, do: Callable[[Known], T]) -> T:
    """What is done with the file, and known at once. Raises Problem 404, 409, 422, 503."""
    if known is None:
        raise Problem(falcon.HTTP_409, OPEN)
    try:
        done = await asyncio.to_thread(do, known)
    except TokensError as error:
        raise Problem(_STATUS.get(type(error), falcon.HTTP_503), str(error)) from None
    await known.look()
    return done
