"""What a change of settings does, counted from the decisions that it makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import DONE, MovieStatus, Selection
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
        if status == MovieStatus.FAILED:
            counts["retried"] += 1
        elif status == MovieStatus.OUTDATED and not state.fitting(movie):
            counts["movies"] += 1
            runs.update(needed)
        elif status == MovieStatus.OUTDATED or movie.status not in DONE:
            counts["kept"] += 1
        elif status != movie.status:
            counts["accepted" if status == MovieStatus.PROCESSED else "rejected"] += 1
    steps = {step: runs[step] for step in CHAIN.names if runs[step]}
    numbers = (counts[name] for name in ("movies", "kept", "rejected", "accepted", "retried"))
    return wire.SettingsEffect(changed, steps, *numbers)
