"""`…/picks/hand`: a person's own edits of a movie's picks."""

from __future__ import annotations

from typing import Any

import msgspec
from falcon.asgi import Request

from warpcore.bus.messages import GetItem, GetItemPicks, Item, ItemPicks, Movie, SetItemPicks, UndoItemPicks
from warpcore.services.api.bodies import only_fields, read_object
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.errors import bad_field
from warpcore.services.api.pictures.documents import HandPicks
from warpcore.services.session.hand_picks import Position, placed, within_px
from warpcore.services.steps.step import INPUT


class Edits(msgspec.Struct, rename="camel"):
    """The edits that hold, and how many times `undo` brings the ones before back."""

    hand: HandPicks
    former: int


async def hand_picks(scheduler: Scheduler, movie: Movie) -> HandPicks:
    """The edits of a movie's picks; the scheduler is asked where there are any."""
    if not movie.hand_picks:
        return HandPicks([], [], _within_px(movie))
    return _shown(await ask(scheduler, GetItemPicks(movie.name), ItemPicks), movie).hand


async def get(scheduler: Scheduler, movie: Movie) -> Edits:
    """The edits of a movie's picks."""
    return _shown(await ask(scheduler, GetItemPicks(movie.name), ItemPicks), movie)


async def put(scheduler: Scheduler, name: str, req: Request) -> Edits:
    """Replace them: `{"added": [[x, y], …], "removed": […]}`, in px of the average. Raises Problem."""
    body = only_fields(await read_object(req), {"added": list, "removed": list})
    added, removed = (_positions(field, body.get(field, [])) for field in ("added", "removed"))
    return await _answer(scheduler, SetItemPicks(name, added, removed))


async def undo(scheduler: Scheduler, name: str) -> Edits:
    """Bring the edits before back."""
    return await _answer(scheduler, UndoItemPicks(name))


async def _answer(scheduler: Scheduler, message: SetItemPicks | UndoItemPicks) -> Edits:
    held = await ask(scheduler, message, ItemPicks)
    return _shown(held, (await ask(scheduler, GetItem(message.name), Item)).movie)


def _shown(held: ItemPicks, movie: Movie) -> Edits:
    """The edits on the movie's present average."""
    known = movie.results.get(INPUT) or {}
    size = known.get("width") or held.hand.width, known.get("height") or held.hand.height
    added, removed = (placed(positions, held.hand, *size) for positions in (held.hand.added, held.hand.removed))
    return Edits(HandPicks(added, removed, _within_px(movie)), held.former)


def _within_px(movie: Movie) -> float | None:
    known, picked = movie.results.get(INPUT) or {}, movie.results.get("picking") or {}
    pixel = known.get("pixel_size_angstrom")
    return within_px(picked.get("diameter_angstrom"), pixel) if pixel else None


def _positions(name: str, values: list[Any]) -> list[Position]:
    """Pairs of numbers. Raises Problem 422 for anything else."""
    for value in values:
        pair = isinstance(value, list) and len(value) == 2
        if not pair or not all(type(one) in (int, float) for one in value):
            raise bad_field(name, value, "each pick is [x, y], two numbers")
    return [(float(x), float(y)) for x, y in values]
