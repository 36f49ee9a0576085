"""What a change of settings does, counted from the decisions that it makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import DONE, MovieStatus, Selection
from warpcore.services.scheduler.core.keeping import kept_results
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.steps.chain import CHAIN

Decision = tuple[MovieRecord, MovieStatus, list[str], list[str]]
"""A movie, the status that it gets, the steps that it must run, and why the filter rejects it."""


def effect_of(state: State, changed: list[str], decisions: Iterable[Decision]) -> wire.SettingsEffect:
    """Count decisions that are made and not yet carried out; `changed` are the names of the settings.

    Movies that wait for their steps already count too: they run under the new settings. Those that run now do not: what
    they must run again is decided when they have ended.
    """
    counts: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    for movie, status, needed, _ in decisions:
        if movie.selection == Selection.EXCLUDE:
            continue  # it waits until the user takes it in again
        key = state.fitting(movie) if status == MovieStatus.OUTDATED else ""
        if status == MovieStatus.FAILED:
            counts["retried"] += 1
        elif status == MovieStatus.OUTDATED and not key:
            counts["movies"] += 1
            runs.update(needed)
        else:
            counts["kept"] += bool(key) or movie.status not in DONE
            judged = _judged_as_kept(state, movie, key) if key else status
            if judged is not None and judged != _judged_last(movie):
                counts["accepted" if judged == MovieStatus.PROCESSED else "rejected"] += 1
    steps = {step: runs[step] for step in CHAIN.names if runs[step]}
    numbers = (counts[name] for name in ("movies", "kept", "rejected", "accepted", "retried"))
    return wire.SettingsEffect(changed, steps, *numbers)


def _judged_as_kept(state: State, movie: MovieRecord, key: str) -> MovieStatus | None:
    """What the filter will make of a movie whose kept outputs come back; None where their values are not known."""
    results = kept_results(movie, key)
    return None if results is None else state.judge(movie, results)[0]


def _judged_last(movie: MovieRecord) -> MovieStatus:
    """What the filter makes of a movie now, or has made of it before it became outdated."""
    return movie.status if movie.status in DONE else movie.verdict(movie.filter_reasons)
