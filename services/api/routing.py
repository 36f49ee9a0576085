"""Paths in which a name with slashes is followed by more: `/api/items/{name:path}/selection`.

Falcon takes such a name only at a path's end, so one resource here takes all that begins with the same prefix.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import falcon
import falcon.asgi

from warpcore.bus.client import RefusedError
from warpcore.services.api.errors import refusal
from warpcore.services.api.operations import METHODS

_VARIABLE = re.compile(r"\{(\w+)(:path)?\}")


def for_falcon(routes: Mapping[str, object]) -> dict[str, object]:
    """The resources by paths that falcon takes. Those that begin with a name with slashes stand behind one path."""
    plain: dict[str, object] = {}
    below: defaultdict[str, dict[str, object]] = defaultdict(dict)
    for path, resource in routes.items():
        prefix = path.partition("/{")[0]
        first = _VARIABLE.search(path)
        if first is not None and first[2]:
            below[prefix][path.removeprefix(f"{prefix}/")] = resource
        else:
            plain[path] = resource
    return plain | {f"{prefix}/{{tail:path}}": Tail(prefix, resources) for prefix, resources in below.items()}


class Tail:
    """Resources by what follows a common prefix; the path's end tells them apart.

    The longest that fits is tried first. Where a GET finds nothing there, the next is tried, since a name may end like
    that: `a/curves` are the curves of the movie `a`, or the movie of that name where there is no movie `a`; that `a`
    has no curves yet is no reason to answer with another movie. `a%2Fcurves` always is the movie of that name.
    """

    def __init__(self, prefix: str, resources: Mapping[str, object]) -> None:
        self._words_before = len(prefix.split("/"))
        by_length = sorted(resources.items(), key=lambda one: -len(_VARIABLE.sub("", one[0])))
        self._resources = [(path.split("/"), resource) for path, resource in by_length]
        self._whole = next((resource for path, resource in by_length if _VARIABLE.fullmatch(path)), None)

    async def _answer(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, tail: str) -> None:
        """Raises HTTPRouteNotFound, and what the first resource that fits raises: also HTTPMethodNotAllowed."""
        missing: Exception | None = None
        lacks_part = False
        method = "GET" if req.method == "HEAD" else req.method
        for resource, values in self._fitting(self._words(req, tail)):
            if lacks_part and resource is self._whole:
                break
            responder: Any = getattr(resource, f"on_{method.lower()}", None)
            if responder is None:
                missing = missing or falcon.HTTPMethodNotAllowed(_methods(resource))
                continue
            try:
                await responder(req, resp, **values)
                return
            except (falcon.HTTPError, RefusedError) as error:
                if method != "GET" or (missing is None and not _is_missing(error)):
                    raise
                missing = missing or error
                lacks_part = lacks_part or not isinstance(error, RefusedError)  # else the scheduler knows no such name
        raise missing or falcon.HTTPRouteNotFound()

    async def on_options(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, tail: str) -> None:
        """Tells the methods. Raises HTTPRouteNotFound."""
        for resource, _ in self._fitting(self._words(req, tail)):
            resp.set_header("Allow", ", ".join(_methods(resource)))
            resp.content_length = 0
            return
        raise falcon.HTTPRouteNotFound()

    def _words(self, req: falcon.asgi.Request, tail: str) -> list[str]:
        """What stands between the slashes of the path's end. A slash that came as %2F is a part of its word."""
        raw: str = req.scope["raw_path"].decode("latin-1").removesuffix("/")
        words = [unquote(word) for word in raw.split("/")[self._words_before :]]
        return words if "/".join(words) == tail else tail.split("/")

    def _fitting(self, words: Sequence[str]) -> Iterator[tuple[object, dict[str, str]]]:
        """The resources that a path may mean, with the values of its variables."""
        for template, resource in self._resources:
            for values in _meanings(template, words):
                yield resource, values

    on_get = on_put = on_post = on_patch = on_delete = _answer


def _meanings(template: Sequence[str], words: Sequence[str]) -> Iterator[dict[str, str]]:
    """The values that a path's variables may have, short names first: `{name:path}/picture/{kind}`.

    It is read from its end, where most templates have a word that tells soon whether they fit.
    """
    if not template or not words:
        if not template and not words:
            yield {}
        return
    *before, last = template
    variable = _VARIABLE.fullmatch(last)
    if variable is None:
        if words[-1] == last:
            yield from _meanings(before, words[:-1])
        return
    starts = range(len(words)) if variable[2] and before else [0 if variable[2] else len(words) - 1]
    for start in starts:
        for rest in _meanings(before, words[:start]):
            value = "/".join(words[start:])
            if value:
                yield {**rest, variable[1]: value}


def _methods(resource: object) -> list[str]:
    methods = [name.upper() for name in METHODS if hasattr(resource, f"on_{name}")]
    return [*methods, "HEAD"] if "GET" in methods else methods


def _is_missing(error: falcon.HTTPError | RefusedError) -> bool:
    problem = refusal(error.error) if isinstance(error, RefusedError) else error
    return problem.status_code == 404
