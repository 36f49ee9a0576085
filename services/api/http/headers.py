"""What a browser is told about every answer, so that a page of another site can do nothing with it."""

from __future__ import annotations

import falcon
import falcon.asgi

NOTHING_LOADED = "default-src 'none'; base-uri 'none'; form-action 'none'"
NOT_FRAMED = "frame-ancestors 'none'"
NOTHING = f"{NOTHING_LOADED}; {NOT_FRAMED}"
"""Content policy to which a page adds what it loads: nothing, and no other page shows it within itself."""

FILES_POLICY = f"{NOTHING}; sandbox"
"""For answers that are no pages: where a browser shows one as such, it runs nothing."""

HSTS = "max-age=86400"
"""A browser comes back by TLS alone for a day. No longer: it counts for all ports of the name, so also for another
user's session there that has no certificate, and for this one once it is started without."""

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class SafeHeaders:
    """Adds the headers. Stands first among the middlewares, so that it writes last and to every answer.

    Images and files may be shown by pages of other sites only where some are allowed to read here at all.
    """

    def __init__(self, *, is_shared: bool) -> None:
        self._headers = _ALWAYS | ({} if is_shared else {"Cross-Origin-Resource-Policy": "same-origin"})

    async def process_response(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, resource: object, succeeded: bool
    ) -> None:
        """What the resource has set itself stays."""
        resp.set_headers(self._headers)
        if not resp.get_header("Content-Security-Policy"):
            resp.set_header("Content-Security-Policy", FILES_POLICY)
        resp.set_header("Cache-Control", private(resp.get_header("Cache-Control")))
        if req.scheme == "https":
            resp.set_header("Strict-Transport-Security", HSTS)


def private(cache_control: str | None) -> str:
    """How an answer may be kept: not at all where nothing is said, else by the browser alone, unless it is public."""
    if not cache_control:
        return "no-store"
    told = {one.strip() for one in cache_control.split(",")}
    return cache_control if told & {"private", "public", "no-store"} else f"private, {cache_control}"
