"""Optics groups: movies whose aberrations may be fitted together, and the number of each group.

Which movies are together is a function of the set of movies alone, whatever their order: those of equal optics
(voltage, pixel size, Cs, amplitude contrast, size), and of these the ones at one place of the beam, or of one name or
folder. A partition of places can change while more is learnt: as long as nothing shows that there are several, all
movies are together; then they part; later places may part or meet, where jitter is large.

Numbers do not depend on that. A group without a number gets the next one, and its first movie is the founder of that
number for ever. A group's number is the lowest that one of its movies has founded. So no number is ever given to
another group; groups that meet have the older number; groups that part again have their former numbers again; and from
the founders, which are stored, all numbers follow after a restart.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from warpcore.services.session.beam_shifts import BeamShifts, Shift

T = TypeVar("T", bound=Hashable)

FIRST_GROUP = 1

SMALLEST_SPACING = {"serialem": 0.1}
"""By kind of metadata: no two places are closer. SerialEM's image shifts are µm, rounded in its mdoc."""
_LEAST_SPACING = 1e-5
"""In any unit: EPU's differ by some thousandths at least."""
LARGEST_SHIFT = 1e3
"""In any unit: beyond, a file is damaged."""

GROUP = "{group}"
_WILDCARDS = {"*": (".*?", ".*"), GROUP: ("([^_]+?)", "([^_]+)")}
"""How each is matched before other text, and at the end."""
_MOST_WILDCARDS = 4


@dataclass(frozen=True, slots=True)
class Grouped:
    """A movie as far as its group follows from it.

    `key`: movies of different keys are never together. `shift` is its beam shift, None where it does not count; `kind`
    says in whose unit.
    """

    name: str
    key: Hashable
    shift: Shift | None = None
    kind: str = ""


@dataclass(slots=True)
class _Class:
    """Movies that are together, and the numbers that some of them have founded."""

    name: Hashable
    movies: dict[int, None] = field(default_factory=dict)
    founded: dict[int, int] = field(default_factory=dict)
    number: int = 0


class OpticsGroups:
    """The movies of a session in their groups. `last` is the highest number that was ever given."""

    def __init__(self, last: int = 0) -> None:
        self.last = last
        self._movies: dict[int, Grouped] = {}
        self._founded: dict[int, int] = {}
        self._carried: dict[int, int] = {}
        self._class_of: dict[int, _Class] = {}
        self._classes: dict[Hashable, _Class] = {}
        self._shifts: dict[Hashable, BeamShifts] = {}
        self._waiting: set[int] = set()
        self._heirs: set[int] = set()
        self._unsettled: set[Hashable] = set()

    def __contains__(self, movie: int) -> bool:
        return movie in self._movies

    def group(self, movie: int) -> int:
        """The number of a movie's group, once `settle` has returned."""
        return self._class_of[movie].number

    def founded(self, movie: int) -> int:
        """The number that this movie has founded, 0 for none."""
        return self._founded.get(movie, 0)

    def put(self, movie: int, grouped: Grouped, founded: int = 0) -> None:
        """Add a movie, or say what its group follows from now. `founded` is what it has founded, by an earlier run.

        Where a known movie goes elsewhere, those that stay keep the number: another one is its founder from now on.
        """
        if self._movies.get(movie) == grouped:
            return
        known = movie in self._movies
        if known:
            self._carried[movie] = self.drop(movie)
        self._movies[movie] = grouped
        if founded and not known:
            self._founded[movie] = founded
            self.last = max(self.last, founded)
        if grouped.shift is None:
            self._waiting.add(movie)
        else:
            space = (grouped.key, grouped.kind)
            shifts = self._shifts.setdefault(space, BeamShifts(SMALLEST_SPACING.get(grouped.kind, _LEAST_SPACING)))
            shifts.put(movie, grouped.name, grouped.shift)
            self._unsettled.add(space)

    def drop(self, movie: int) -> int:
        """Take a movie out; returns the number that it had founded, if nobody else is left to have it, else 0."""
        grouped = self._movies.pop(movie)
        if grouped.shift is not None:
            space = (grouped.key, grouped.kind)
            self._shifts[space].drop(movie)
            self._unsettled.add(space)
        self._waiting.discard(movie)
        number = self._founded.pop(movie, 0)
        left = self._leave(movie)
        if not number or left is None:
            return number
        heir = min(left.movies, key=lambda one: (one in left.founded, one))
        self._founded[heir] = left.founded[heir] = min(number, left.founded.get(heir, number))
        self._heirs.add(heir)
        return 0

    def settle(self) -> set[int]:
        """Find groups and numbers as they are now; returns the movies whose group or founding is perhaps another."""
        moved = self._waiting
        for space in self._unsettled:
            moved |= self._shifts[space].settle()
        self._waiting, self._unsettled = set(), set()
        moved &= self._movies.keys()
        for movie in moved:
            self._leave(movie)
        touched: dict[Hashable, _Class] = {}
        for movie in sorted(moved):
            one = self._enter(movie)
            touched[one.name] = one
        told = moved | (self._heirs & self._movies.keys())
        for one in touched.values():
            told.update(self._number(one))
        self._carried, self._heirs = {}, set()
        return told

    def _enter(self, movie: int) -> _Class:
        grouped = self._movies[movie]
        place = None
        if grouped.shift is not None:
            place = self._shifts[(grouped.key, grouped.kind)].place(movie)
        name = (grouped.key, grouped.kind if place is not None else "", place)
        one = self._classes.get(name)
        if one is None:
            one = self._classes[name] = _Class(name)
        one.movies[movie] = None
        if movie in self._founded:
            one.founded[movie] = self._founded[movie]
        self._class_of[movie] = one
        return one

    def _leave(self, movie: int) -> _Class | None:
        """Take a movie out of its class; returns that, None where nobody is left in it."""
        one = self._class_of.pop(movie, None)
        if one is None:
            return None
        del one.movies[movie]
        one.founded.pop(movie, None)
        if not one.movies:
            del self._classes[one.name]
            return None
        return one

    def _number(self, one: _Class) -> Iterator[int]:
        """Give a class its number; yields the movies for which that is news."""
        before = one.number
        if not one.founded:
            founder = min(one.movies)
            number = self._carried.get(founder, 0) or self.last + 1
            self.last = max(self.last, number)
            self._founded[founder] = one.founded[founder] = number
            yield founder
        one.number = min(one.founded.values())
        if before not in (0, one.number):
            yield from one.movies


def apart(wanted: Iterable[tuple[int, T]]) -> dict[tuple[int, T], int]:
    """The number in one file of each pair of a group and its optics. The first optics of a group have its number.

    Others, as of movies that an earlier version has processed, get numbers after the highest: a file cannot have two
    rows for one group.
    """
    pairs = dict.fromkeys(wanted)
    last = max((group for group, _ in pairs), default=0)
    numbers: dict[tuple[int, T], int] = {}
    taken: set[int] = set()
    for pair in pairs:
        last += pair[0] in taken
        numbers[pair] = last if pair[0] in taken else pair[0]
        taken.add(pair[0])
    return numbers


def name_part(pattern: str, name: str) -> str | None:
    """What `{group}` stands for in a movie's file name, None where the pattern does not fit; parts are joined by `-`.

    `*` is any text, `{group}` any text without `_`, each as short as what follows allows.
    """
    match = _expression(pattern).fullmatch(name)
    return None if match is None else "-".join(match.groups())


def pattern_fault(pattern: str) -> str:
    """What is wrong with a pattern of file names, "" where nothing is."""
    if GROUP not in pattern:
        return f"`{GROUP}` stands for the part of the name that groups have in common, and is missing"
    wildcards = pattern.count("*") + pattern.count(GROUP)
    if wildcards > _MOST_WILDCARDS:
        return f"{wildcards} of `*` and `{GROUP}` are too many; at most {_MOST_WILDCARDS} can be told apart fast"
    if re.search(r"(\*|\{group\})(\*|\{group\})", pattern):
        return f"some text must stand between two of `*` and `{GROUP}`"
    return ""


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    first, *rest = re.split(r"(\*|\{group\})", pattern)
    text = re.escape(first)
    for wildcard, literal in zip(rest[::2], rest[1::2], strict=True):
        within, at_end = _WILDCARDS[wildcard]
        text += within + re.escape(literal) if literal else at_end
    return re.compile(text, re.DOTALL | re.IGNORECASE)
