"""The rules of alarms that look at what was measured of the last movies, and at those that have failed."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from warpcore.bus.vocabulary import DONE, ENDED, MovieStatus, Selection, Severity
from warpcore.services.scheduler.core import views
from warpcore.services.scheduler.core.alarms import Finding, is_on, rule
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.alarm_bounds import alarm_bounds
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import Column
from warpcore.services.steps.step import INPUT

FEWEST_MOVIES = 12
"""So many movies must have a value before anything is said of it."""
BEFORE = 200
"""Movies before the window that a change is measured against."""
FEWEST_FAILURES = 5
COUNTS = ("input.mean_counts", "input.counted_dose_per_frame")


@rule("failures")
def failures(state: State) -> Iterator[Finding]:
    """Movies fail one after the other, or half or more of the last ones have; until fewer than a quarter have."""
    ended = [movie for movie in _last(state, state.settings.alarms.window) if movie.status in ENDED]
    failed = [movie for movie in ended if movie.status == MovieStatus.FAILED]
    share = 0.25 if is_on(state, "failures", "movies") else 0.5
    many = len(failed) >= max(FEWEST_FAILURES, share * len(ended))
    in_a_row = _failed_at_the_end(ended)
    if not many and in_a_row < state.settings.alarms.failures_in_a_row:
        return
    told = f"{len(failed)} of the last {len(ended)}" if many else f"the last {in_a_row}"
    last = failed[-1].failure
    why = f"; the last one: {last.message}" if last is not None else ""
    yield Finding("movies", f"{told} movies have failed{why}", "movies fail", Severity.CRITICAL)


def _failed_at_the_end(ended: list[MovieRecord]) -> int:
    """How many movies have failed since the last one that did not."""
    done = (place for place, movie in enumerate(reversed(ended)) if movie.status != MovieStatus.FAILED)
    return next(done, len(ended))


@rule("limits")
def beyond_limits(state: State) -> Iterator[Finding]:
    """Of the last movies few are within the limits of a measured value; until enough are (`alarms.…`)."""
    alarms = state.settings.alarms
    results = _results(state, _last(state, alarms.window))
    for bounds in alarm_bounds(state.settings):
        column = bounds.column
        well = [good for one in results if (good := bounds.hold(one)) is not None]
        share = alarms.end_from if is_on(state, "limits", column.name) else alarms.begin_below
        if len(well) >= FEWEST_MOVIES and sum(well) < share * len(well):
            median = _median(column, results)
            found = "" if median is None else f"; median {_told(column, median)}"
            text = f"{sum(well)} of the last {len(well)} movies are within limits ({bounds.in_words}{found})"
            yield Finding(column.name, f"{column.noun}: {text}", column.noun)


@rule("counts")
def counts_changed(state: State) -> Iterator[Finding]:
    """Mean counts or counted dose are other than over the 200 movies before: beam, aperture, detector or ice."""
    alarms = state.settings.alarms
    if alarms.counts_change is None:
        return
    seen = _last(state, alarms.window + BEFORE)
    before, now = seen[: -alarms.window], seen[-alarms.window :]
    for name in COUNTS:
        column = CHAIN.column[name]
        former, present = _median(column, _results(state, before)), _median(column, _results(state, now))
        most = alarms.counts_change / 2 if is_on(state, "counts", name) else alarms.counts_change
        if former and present is not None and abs(present / former - 1) > most:
            text = f"the median of the last movies is {_told(column, present)}, before it was {_told(column, former)}"
            yield Finding(name, f"{column.noun} changed: {text}", f"{column.noun} changed")
            return  # both change together


@rule("frames")
def odd_frames(state: State) -> Iterator[Finding]:
    """A quarter of the last movies have odd frames (blank, repeated, …), which weigh nothing; until an eighth have."""
    seen = _results(state, _last(state, state.settings.alarms.window))
    numbers = [one[INPUT].get("odd_frame_numbers") or {} for one in seen if INPUT in one]
    odd = [reasons for reasons in numbers if reasons]
    share = 0.125 if is_on(state, "frames", "movies") else 0.25
    if len(numbers) >= FEWEST_MOVIES and len(odd) > share * len(numbers):
        movies = Counter(reason for reasons in odd for reason in reasons)
        why = ", ".join(f"{reason} in {count}" for reason, count in movies.most_common())
        text = f"{len(odd)} of the last {len(numbers)} movies have frames that weigh nothing ({why})"
        yield Finding("movies", f"{text}: look at shutter, beam and camera", "odd frames")


def _last(state: State, count: int) -> list[MovieRecord]:
    """The movies among the last `count` that have ended which are not excluded, oldest first."""
    movies = (state.movies[id] for id in state.recent.last(count))
    return [movie for movie in movies if movie.selection != Selection.EXCLUDE]


def _results(state: State, movies: Iterable[MovieRecord]) -> list[dict[str, Any]]:
    return [views.shown_results(movie, state.plan.off) for movie in movies if movie.status in DONE]


def _median(column: Column, results: list[dict[str, Any]]) -> float | None:
    """The median of a column's values; None where there are too few."""
    values = [float(value) for one in results if (value := column.value(one)) is not None]
    return statistics.median(values) if len(values) >= FEWEST_MOVIES else None


def _told(column: Column, value: float) -> str:
    return f"{value:.3g} {column.unit}".rstrip()
