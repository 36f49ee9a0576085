"""The rules of alarms that look at what headers and metadata tell of movies: what is missing, and what contradicts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from warpcore.bus.vocabulary import Selection, Severity
from warpcore.services.scheduler.core.alarms import Finding, rule
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.facts import Facts
from warpcore.services.session.resolving import (
    ASSUMED,
    CS,
    DOSE,
    PIXEL,
    RESOLVED,
    SAME,
    UNITS,
    VOLTAGE,
    value_of,
)

FEWEST_TO_COMPARE = 3
"""Movies of one magnification that make another one stand out."""
SAME_AS_ASSUMED = 0.05
_WORDS = {VOLTAGE: "voltages", CS: "spherical aberrations", DOSE: "doses", PIXEL: "pixel sizes"}
_MOST_VALUES = 3


def warnings(state: State) -> list[str]:
    """One line for each thing that movies wait for."""
    waiting: dict[str, list[int]] = {}
    for id in state.unresolved:
        waiting.setdefault(state.movies[id].waits_for, []).append(id)
    return [f"{text} ({_who(state, ids)})" for text, ids in waiting.items()]


@rule("unknown")
def unknown(state: State) -> Iterator[Finding]:
    """Movies wait since nobody tells their pixel size, which is never assumed."""
    for text in warnings(state):
        what = text.partition(":")[0].partition(" (")[0]
        yield Finding(what, text, f"movies wait: {what}", Severity.CRITICAL, key=text.rpartition(" (")[0])


@rule("contradiction")
def contradictions(state: State) -> Iterator[Finding]:
    """A movie's metadata or header contradict a setting or each other, or its magnification is not that of the others.

    Once for each setting, by the most movies that do so.
    """
    found: dict[str, dict[str, list[int]]] = {}
    for facts, ids in state.told.items():
        for name, text in state.learning.of(facts).resolved.conflicts.items():
            found.setdefault(name, {}).setdefault(text, []).extend(_included(state, ids))
    for name, texts in found.items():
        text, movies = max(texts.items(), key=lambda one: len(one[1]))
        if movies:
            yield Finding(name, f"{text} ({_who(state, movies)})", f"{name}: two values")
    yield from _other_magnification(state)


def _other_magnification(state: State) -> Iterator[Finding]:
    if len({facts.magnification for facts in state.told} - {None}) < 2:
        return
    movies: dict[float, list[int]] = {}
    for facts, ids in state.told.items():
        if facts.magnification is not None:
            movies.setdefault(facts.magnification, []).extend(_included(state, ids))
    usual, other, *_ = sorted(movies, key=lambda one: -len(movies[one]))
    most = len(movies[usual])
    if most >= FEWEST_TO_COMPARE and movies[other]:
        text = f"the magnification is {other:,.0f}, and that of {most} others {usual:,.0f}"
        yield Finding("magnification", f"{text} ({_who(state, movies[other])})", "another magnification")


@rule("mixed")
def mixed(state: State) -> Iterator[Finding]:
    """Movies tell different voltages, Cs, doses or pixel sizes, or some tell none and others not what is assumed."""
    for name in RESOLVED:
        if value_of(state.settings, name) is not None:
            continue
        told, assumed = _by_value(state, name)
        if told and (assumed or not math.isclose(min(told), max(told), rel_tol=SAME[name])):
            alike = _alike(state, name, told)
            yield from _different(state, name, alike)
            yield from _assumed_among_others(state, name, alike, assumed)


def _by_value(state: State, name: str) -> tuple[dict[float, list[Facts]], list[Facts]]:
    """Which facts tell each value of a setting, and those for which it is assumed; no movie is looked at."""
    told: dict[float, list[Facts]] = {}
    assumed: list[Facts] = []
    for facts in state.told:
        resolved = state.learning.of(facts).resolved
        value = value_of(resolved.settings, name)
        if resolved.sources.get(name) == ASSUMED:
            assumed.append(facts)
        elif value is not None:
            told.setdefault(value, []).append(facts)
    return told, assumed


def _alike(state: State, name: str, told: dict[float, list[Facts]]) -> list[tuple[float, list[int]]]:
    """The movies of each value and of those near it, without excluded ones; the value of most movies first."""
    movies = [(value, _movies(state, facts)) for value, facts in told.items()]
    alike: dict[float, list[int]] = {}
    for value, ids in sorted(movies, key=lambda one: -len(one[1])):
        same = next((one for one in alike if math.isclose(one, value, rel_tol=SAME[name])), value)
        alike.setdefault(same, []).extend(ids)
    return sorted(((value, ids) for value, ids in alike.items() if ids), key=lambda one: -len(one[1]))


def _different(state: State, name: str, alike: list[tuple[float, list[int]]]) -> Iterator[Finding]:
    if len(alike) > 1:
        shown = [f"{value:.4g} {UNITS[name]} ({_who(state, ids)})" for value, ids in alike[:_MOST_VALUES]]
        text = f"the session's movies tell different {_WORDS[name]}: {', '.join(shown)}"
        yield Finding(name, text + ", …" * (len(alike) > _MOST_VALUES), f"{name}: movies differ", key=f"{name} differs")


def _assumed_among_others(
    state: State, name: str, alike: list[tuple[float, list[int]]], assumed: list[Facts]
) -> Iterator[Finding]:
    movies = _movies(state, assumed)
    if not movies or not alike:
        return
    value, other = value_of(state.learning.of(assumed[0]).resolved.settings, name), alike[0][0]
    if value is not None and not math.isclose(value, other, rel_tol=SAME_AS_ASSUMED):
        text = (
            f"nothing tells {name} of {_who(state, movies)}, processed at the assumed {value:.4g} {UNITS[name]}, and "
            f"others tell {other:.4g} {UNITS[name]}; set {name}"
        )
        yield Finding(name, text, f"{name} is assumed for some", key=f"{name} assumed")


def _movies(state: State, told: list[Facts]) -> list[int]:
    return [id for facts in told for id in _included(state, state.told[facts])]


def _included(state: State, ids: Iterable[int]) -> list[int]:
    movies, excluded = state.movies, Selection.EXCLUDE
    return [id for id in ids if movies[id].selection != excluded]


def _who(state: State, ids: list[int]) -> str:
    name = state.movies[ids[0]].name
    return name if len(ids) == 1 else f"{len(ids)} movies, {name} the first"
