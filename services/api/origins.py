"""What pages of other web sites, open in the same browser, may do here: nothing, where they are not allowed to."""

from __future__ import annotations

import re
from collections.abc import Collection

import falcon
import falcon.asgi

from warpcore.services.api.errors import Problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_EXPOSED = ("ETag", "Location", "Retry-After", "Content-Range", "Accept-Ranges", "Content-Disposition")


class SameOrigin:
    """Refuses changes that a browser sends for a page of an origin that is neither this one nor allowed.

    Programs send no `Origin`, so their requests pass.
    """

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = frozenset(allowed)

    async def process_request(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Raises Problem 403."""
        origin = req.get_header("Origin")
        if req.method in SAFE_METHODS or origin is None or origin in self._allowed:
            return
        if origin.partition("://")[2] != req.get_header("Host"):
            raise Problem(falcon.HTTP_403, f"a page of {origin} may not change anything here")


class AllowedOrigins(falcon.CORSMiddleware[falcon.asgi.Request, falcon.asgi.Response]):
    """Lets pages of these origins read answers (CORS), and send changes where `SameOrigin` allows them too."""

    def __init__(self, origins: Collection[str]) -> None:
        super().__init__(allow_origins=origins, expose_headers=_EXPOSED)

    async def process_response_async(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, resource: object, req_succeeded: bool
    ) -> None:
        """Say what is allowed. A cache must not give one origin's answer to another."""
        await super().process_response_async(req, resp, resource, req_succeeded)
        if self.allow_origins:
            resp.append_header("Vary", "Origin")


def is_origin(text: str) -> bool:
    """Whether a text is an origin as browsers send it: `https://lab.example:8443`."""
    return re.fullmatch(r"https?://[^/?#\s@*A-Z]+", text) is not None
