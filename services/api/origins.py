"""Keeps pages of other web sites, open in the same browser, from changing anything here."""

from __future__ import annotations

from urllib.parse import urlsplit

import falcon
import falcon.asgi

from warpcore.services.api.errors import Problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SameOrigin:
    """Refuses changes that a browser sends for a page of another origin.

    Programs send no `Origin`, so their requests pass.
    """

    async def process_request(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Raises Problem 403."""
        origin = req.get_header("Origin")
        if req.method in SAFE_METHODS or origin is None:
            return
        if urlsplit(origin).netloc != req.get_header("Host"):
            raise Problem(falcon.HTTP_403, f"a page of {origin} may not change anything here")
