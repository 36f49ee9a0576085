"""Paths in which a name with slashes is followed by more: `/api/items/{name:path}/selection`.

Falcon takes such a name only at a path's end, so one resource here takes all that begins with the same prefix.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import falcon
import falcon.asgi

from warpcore.services.api.operations import METHODS

_VARIABLE = re.compile(r"\{(\w+)(:path)?\}")


def for_falcon(routes: Mapping[str, object]) -> dict[str, object]:
    """The resources by paths that falcon takes. Those with a name with slashes stand together behind one path."""
    plain: dict[str, object] = {}
    below: defaultdict[str, dict[str, object]] = defaultdict(dict)
    for path, resource in routes.items():
        prefix, found, _ = path.partition("/{")
        if ":path}" in path and found:
            below[prefix][path.removeprefix(f"{prefix}/")] = resource
        else:
            plain[path] = resource
    return plain | {f"{prefix}/{{tail:path}}": Tail(resources) for prefix, resources in below.items()}


class Tail:
    """Resources by what follows a common prefix; the path's end tells them apart, the longest that fits first.

    `GET a/selection` is the movie of that name, since nothing else answers GET there.
    """

    def __init__(self, resources: Mapping[str, object]) -> None:
        by_length = sorted(resources.items(), key=lambda one: -len(_VARIABLE.sub("", one[0])))
        self._resources = [(_pattern(path), resource) for path, resource in by_length]

    async def _answer(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, tail: str) -> None:
        """Raises HTTPRouteNotFound, HTTPMethodNotAllowed."""
        for pattern, resource in self._resources:
            found = pattern.fullmatch(tail)
            responder: Any = getattr(resource, f"on_{req.method.lower()}", None)
            if found is not None and responder is not None:
                await responder(req, resp, **found.groupdict())
                return
        raise falcon.HTTPMethodNotAllowed(self._allowed(tail))

    async def on_options(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, tail: str) -> None:
        """Tells the methods. Raises HTTPRouteNotFound."""
        resp.set_header("Allow", ", ".join(self._allowed(tail)))
        resp.content_length = 0

    def _allowed(self, tail: str) -> list[str]:
        """The methods of the first resource that fits. Raises HTTPRouteNotFound where there is none."""
        for pattern, resource in self._resources:
            if pattern.fullmatch(tail):
                return [name.upper() for name in METHODS if hasattr(resource, f"on_{name}")]
        raise falcon.HTTPRouteNotFound()

    on_get = on_put = on_post = on_patch = on_delete = _answer


def _pattern(path: str) -> re.Pattern[str]:
    """`{name:path}/picture/{kind}` as an expression. A name with slashes is as short as it can be."""
    parts, at = [], 0
    for variable in _VARIABLE.finditer(path):
        parts += [re.escape(path[at : variable.start()]), f"(?P<{variable[1]}>{'.+?' if variable[2] else '[^/]+'})"]
        at = variable.end()
    return re.compile("".join([*parts, re.escape(path[at:])]), re.DOTALL)
