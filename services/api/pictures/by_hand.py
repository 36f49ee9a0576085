"""`…/picks/hand`: a person's own edits of a movie's picks."""

from __future__ import annotations

from warpcore.bus.messages import GetItem, GetItemPicks, Item, ItemPicks, Movie, SetItemPicks, UndoItemPicks
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.views import HandEditsView, HandPicksView, Position
from warpcore.services.session.hand_picks import placed, within_px
from warpcore.services.steps.step import INPUT


async def hand_picks(scheduler: Scheduler, movie: Movie) -> HandPicksView:
    """The edits of a movie's picks; the scheduler is asked where there are any."""
    if not movie.hand_picks:
        return HandPicksView(added=[], removed=[], within_px=_within_px(movie))
    return _shown(await ask(scheduler, GetItemPicks(movie.name), ItemPicks), movie).hand


async def get(scheduler: Scheduler, movie: Movie) -> HandEditsView:
    """The edits of a movie's picks."""
    return _shown(await ask(scheduler, GetItemPicks(movie.name), ItemPicks), movie)


async def put(scheduler: Scheduler, name: str, added: list[Position], removed: list[Position]) -> HandEditsView:
    """Replace them, in px of the movie's present average."""
    return await _answer(scheduler, SetItemPicks(name, added, removed))


async def undo(scheduler: Scheduler, name: str) -> HandEditsView:
    """Bring the edits before back."""
    return await _answer(scheduler, UndoItemPicks(name))


async def _answer(scheduler: Scheduler, message: SetItemPicks | UndoItemPicks) -> HandEditsView:
    held = await ask(scheduler, message, ItemPicks)
    return _shown(held, (await ask(scheduler, GetItem(message.name), Item)).movie)


def _shown(held: ItemPicks, movie: Movie) -> HandEditsView:
    """The edits on the movie's present average."""
    known = movie.results.get(INPUT) or {}
    size = known.get("width") or held.hand.width, known.get("height") or held.hand.height
    added, removed = (placed(positions, held.hand, *size) for positions in (held.hand.added, held.hand.removed))
    hand = HandPicksView(added=added, removed=removed, within_px=_within_px(movie))
    return HandEditsView(hand=hand, former=held.former)


def _within_px(movie: Movie) -> float | None:
    known, picked = movie.results.get(INPUT) or {}, movie.results.get("picking") or {}
    pixel = known.get("pixel_size_angstrom")
    return within_px(picked.get("diameter_angstrom"), pixel) if pixel else None
