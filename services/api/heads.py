"""HEAD: what GET would answer, without the body."""

from __future__ import annotations

from typing import Any

import falcon.asgi


def with_head(resource: Any) -> Any:
    """The resource, which answers HEAD as it answers GET; falcon leaves the body out."""
    if hasattr(resource, "on_get"):
        resource.on_head = resource.on_get
    return resource


class UnsentBodies:
    """Closes what was opened to be sent: an answer to HEAD has no body."""

    async def process_response(
        self, req: falcon.asgi.Request, resp: falcon.asgi.Response, resource: object, succeeded: bool
    ) -> None:
        """Close the stream. It stays in place, since its length is not 0."""
        close = getattr(resp.stream, "close", None) or getattr(resp.stream, "aclose", None)
        if req.method == "HEAD" and close is not None:
            await close()
