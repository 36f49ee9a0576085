"""`/api/selection` and `/api/retry`: what users ask of many movies at once."""

from __future__ import annotations

from typing import Any

import falcon
import falcon.asgi
import msgspec

from warpcore.bus.messages import (
    GetSelections,
    ItemsRetried,
    RetryItems,
    SelectionChanged,
    Selections,
    SelectionUndone,
    SelectItems,
    UndoSelection,
)
from warpcore.bus.portions import portions
from warpcore.bus.vocabulary import FailureKind, Selection
from warpcore.services.api.bodies import field_word, numbers, only_fields, read_object, texts
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import bad_field
from warpcore.services.api.parameters import asked_by, only_parameters
from warpcore.services.api.views import SelectionChangeView, SelectionResult, UndoResult, iso_time


class SelectionResource:
    """`/api/selection`: the user's own choice for many movies."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The changes that can be taken back, newest first."""
        found = await ask(self._scheduler, GetSelections(), Selections)
        changes = [
            SelectionChangeView(one.undo, one.selection, one.movies, iso_time(one.at), one.by) for one in found.changes
        ]
        resp.media = {"changes": msgspec.to_builtins(changes)}

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """`{"selection": "exclude", "names": […]}` or `"ids"`: how many have changed, and what takes it back."""
        only_parameters(req, "by")
        by = asked_by(req)
        body = only_fields(await read_object(req), {"selection": str, "ids": list, "names": list})
        selection = field_word(Selection, "selection", body.get("selection"))
        if "ids" not in body and "names" not in body:
            raise bad_field("names", None, "give the names of movies, or their ids")
        changed, undo = 0, ""
        for movies in _movies(body):
            message = SelectItems(selection, **movies, undo=undo, by=by)
            reply = await ask(self._scheduler, message, SelectionChanged)
            changed, undo = changed + reply.changed, reply.undo
        resp.media = msgspec.to_builtins(SelectionResult(changed, undo))


class UndoResource:
    """`POST /api/selection/undo`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """`{"undo": "ID"}`: the former choices come back; `kept` movies were chosen anew since and stay so."""
        body = only_fields(await read_object(req), {"undo": str})
        if "undo" not in body:
            raise bad_field("undo", None, "give the undo that the change was answered with")
        message = UndoSelection(body["undo"])
        reply = await ask(self._scheduler, message, SelectionUndone)
        changed, kept = reply.changed, reply.kept
        while reply.left:
            reply = await ask(self._scheduler, message, SelectionUndone)
            changed, kept = changed + reply.changed, kept + reply.kept
        resp.media = msgspec.to_builtins(UndoResult(changed, kept))


class RetryResource:
    """`POST /api/retry`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def on_post(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """`{"kind": "resource"}`, `{"names": […]}`, `{"ids": […]}` or `{"failed": true}` for all that have failed."""
        known = {"kind": str, "names": list, "ids": list, "force": bool, "failed": bool}
        body = only_fields(await read_object(req), known)
        kind = field_word(FailureKind, "kind", body["kind"]) if "kind" in body else None
        named = "names" in body or "ids" in body
        if body.get("failed", False) == (kind is not None or named):
            raise bad_field("failed", body.get("failed"), "give a kind, names or ids, or failed: true for all")
        force = body.get("force", False)
        found = _Retried()
        if named:
            for movies in _movies(body):
                found.add(await ask(self._scheduler, RetryItems(kind, **movies, force=force), ItemsRetried))
        else:
            after: int | None = 0
            while after is not None:
                reply = await ask(self._scheduler, RetryItems(kind, force=force, after=after), ItemsRetried)
                found.add(reply)
                after = reply.next_after
        resp.media = {"retried": found.retried, "refused": found.refused}


class _Retried:
    """The answers to a retry of many, together."""

    def __init__(self) -> None:
        self.retried = 0
        self.refused: list[dict[str, str]] = []

    def add(self, reply: ItemsRetried) -> None:
        self.retried += reply.retried
        self.refused += reply.refused


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {
        "/api/selection": SelectionResource(scheduler),
        "/api/selection/undo": UndoResource(scheduler),
        "/api/retry": RetryResource(scheduler),
    }


def _movies(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The movies that a body names, as many at a time as a message takes. Raises Problem 422."""
    ids, names = numbers("ids", body.get("ids", [])), texts("names", body.get("names", []))
    return [*({"ids": some} for some in portions(ids)), *({"names": some} for some in portions(names))]
