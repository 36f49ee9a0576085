"""What REST tells of itself: `/api/openapi.json`, and `/api/docs`, which needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import falcon.asgi

from warpcore.services.api.docs_page import STYLE_PATH, page
from warpcore.services.api.http.headers import NOTHING
from warpcore.services.api.openapi import document
from warpcore.services.api.operations import operation

_POLICY = f"{NOTHING}; style-src 'self'"
_STYLE = Path(__file__).with_name("docs_page.css")


class OpenApiResource:
    """`/api/openapi.json`."""

    document: dict[str, Any]

    @operation()
    async def on_get(self) -> dict[str, Any]:
        """This document: all requests and answers of REST as OpenAPI 3.1."""
        return self.document


class DocsResource:
    """`/api/docs`."""

    page: bytes

    @operation(media_types=["text/html"])
    async def on_get(self, resp: falcon.asgi.Response) -> None:
        """All requests and answers of REST as a page to read, which works offline."""
        resp.content_type = "text/html; charset=utf-8"
        resp.set_header("Content-Security-Policy", _POLICY)
        resp.data = self.page


class DocsStyleResource:
    """`/api/docs/style.css`."""

    @operation(media_types=["text/css"])
    async def on_get(self, resp: falcon.asgi.Response) -> None:
        """How the page of `/api/docs` looks."""
        resp.content_type = "text/css; charset=utf-8"
        resp.data = _STYLE.read_bytes()


def documents(routes: Mapping[str, object], version: str, *, is_open: bool) -> dict[str, object]:
    """The resources that describe `routes` and themselves, by their paths; `version` is warpcore's.

    `is_open`: no token is needed for anything.
    """
    openapi, docs = OpenApiResource(), DocsResource()
    own = {"/api/openapi.json": openapi, "/api/docs": docs, STYLE_PATH: DocsStyleResource()}
    openapi.document = document({**routes, **own}, version, is_open=is_open)
    docs.page = page(openapi.document).encode()
    return own
