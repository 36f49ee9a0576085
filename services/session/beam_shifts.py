"""Finds the places that a microscope shifts its beam to: which beam shifts are the same place, jittered.

Nothing is known beforehand: neither how many places there are, nor how far apart, nor in which unit. All that is
found is a function of the set of beam shifts, whatever their order.
"""

from __future__ import annotations

import bisect
import itertools
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

Shift = tuple[float, float]
Cell = tuple[int, int]
Places = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]
"""Which shifts stand for places, and how many shifts belong to each."""

SAMPLED = 400
"""The spacing is found from so many movies: those whose names have the lowest checksums, so no order matters."""

_STEPS_PER_OCTAVE = 4
_LEAST_STEPS = 5
"""A spacing is real where the number of places stays the same over this many quarter octaves of scale: a factor 2.4."""
_SAME_SHARE = 0.05
_LARGEST_RATIO = 10.0
_EQUAL = 1e-6
"""Shifts closer than this share of the largest distance are the same."""
_BELOW_NEAREST = 13
"""Steps that stand for all scales below the least distance: a factor of 10."""
_LEAST_EVIDENCE = 12.0
"""In nats: what looks like places is chance once in e^12 = 160 000 times."""
_LEAST_SHARE = 0.15

_CELLS = 8
"""Cells a spacing: places are found on a grid of this fineness."""
_APART = 4
_APART_FROM_STRONG = 6
_STRONG = 8
_SMOOTHED = 2


def spacing_of(shifts: npt.NDArray[np.float64], smallest: float = 0.0) -> float | None:
    """Distance between neighbouring places [unit of `shifts`, N x 2], None where all movies are at one place.

    At each scale h, in quarter octaves, places are counted that are denser than all within h. The count of a cloud
    falls as h^-2; where there are places, it stands still from their jitter to their distance (scale-space clustering
    by lifetime: Leung, Zhang & Xu 2000, IEEE PAMI 22:1396). The finest such stretch counts, once there is evidence for
    it: movies that come back to several places, or places that are too regular for chance. Spacings below `smallest`
    do not count. At most a few hundred shifts: takes N² memory.
    """
    if not len(shifts):
        return None
    shifts = shifts[np.lexsort(shifts.T)]
    distances = np.hypot(*(shifts[:, None] - shifts[None]).transpose(2, 0, 1))
    farthest = distances.max()
    apart = distances[distances > farthest * _EQUAL]
    if not len(apart):
        return None
    found = list(_at_all_scales(distances, apart.min(), farthest))
    # Shifts that are equal to the last digits are nominal ones; they may stand beside measured ones of the same places.
    finest_last = len(found[0][0]) < len(shifts)
    order = [*range(_BELOW_NEAREST, len(found)), 0] if finest_last else range(len(found))
    spacings = (_spacing(distances, found, first) for first in order)
    return next((one for one in spacings if one is not None and one >= smallest), None)


def _at_all_scales(distances: npt.NDArray[np.float64], nearest: float, farthest: float) -> Iterator[Places]:
    """The places from the finest scale on, up to that at which there is one. Below the nearest two nothing changes."""
    highest = math.ceil(_STEPS_PER_OCTAVE * math.log2(farthest))
    lowest = math.floor(_STEPS_PER_OCTAVE * math.log2(nearest)) - 1
    finest = _places(distances, 2.0 ** (lowest / _STEPS_PER_OCTAVE))
    yield from itertools.repeat(finest, _BELOW_NEAREST)
    for step in range(lowest + 1, highest + 1):
        found = _places(distances, 2.0 ** (step / _STEPS_PER_OCTAVE))
        yield found
        if len(found[0]) == 1:
            break


def _places(distances: npt.NDArray[np.float64], scale: float) -> Places:
    """Those shifts that no denser one is within `scale` of, and how many others are nearest to each.

    Places with few movies in comparison are left out: they are outliers.
    """
    density = (distances <= scale).sum(axis=1)
    free = np.ones(len(distances), np.bool_)
    places = []
    for i in np.argsort(-density, kind="stable"):
        if free[i]:
            places.append(i)
            free &= distances[i] > scale
    counts = np.bincount(np.argmin(distances[places], axis=0), minlength=len(places))
    kept = counts >= _LEAST_SHARE * len(distances) / len(places)
    return np.array(places)[kept], counts[kept]


def _spacing(distances: npt.NDArray[np.float64], found: list[Places], first: int) -> float | None:
    """The spacing of the places at scale `first`, if they stay the same for long; None where that may be chance.

    In a cloud of even density, x distances are below t while none is between t and g t with the probability g^(-2x).
    Movies of the place with most do not count, as a cloud has outliers. And of N distances to the nearest neighbour,
    of which 70 % are independent, 1 - 2^(-q²) are below q times their median: fewer are Poisson's chance.
    """
    places, counts = found[first]
    few = _SAME_SHARE * min(len(places), len(distances) - len(places))
    rest = range(first, len(found))
    last = next((i - 1 for i in rest if abs(len(found[i][0]) - len(places)) > few), len(found) - 1)
    if len(places) < 2 or last - first < _LEAST_STEPS:
        return None
    between = distances[np.ix_(places, places)] + np.diag(np.full(len(places), np.inf))
    nearest = between.min(axis=0)
    ratio = min(_LARGEST_RATIO, 2.0 ** ((last - first) / _STEPS_PER_OCTAVE))
    come_back = int(counts.sum() - len(places) - (counts.max() - 1))
    expected = 0.7 * len(places) * (1 - 2.0 ** -((nearest.min() / np.median(nearest)) ** 2))
    evidence = 2 * math.log(ratio) * come_back
    if come_back < expected:
        evidence += expected - come_back + (come_back * math.log(come_back / expected) if come_back else 0.0)
    return float(np.quantile(nearest, 0.2)) if evidence >= _LEAST_EVIDENCE else None


def places_of(counts: Mapping[Cell, int]) -> dict[Cell, Cell]:
    """The place of each cell of a grid, by how many movies are in them; there are 8 cells a spacing.

    A place is a cell with none denser within half a spacing, and none that is 8 times as dense within three quarters:
    what lies between two places is jitter. All cells belong to the nearest place.
    """
    weights = {cell: 1 << (count.bit_length() - 1) for cell, count in counts.items()}
    density = {cell: sum(weights.get(near, 0) for near in _around(cell, _SMOOTHED)) for cell in weights}
    places: set[Cell] = set()
    for cell in sorted(density, key=lambda one: (-density[one], one)):
        near = [other for other in _around(cell, _APART_FROM_STRONG) if other in places]
        close = near and math.dist(near[0], cell) <= _APART
        if not close and not any(density[other] >= _STRONG * density[cell] for other in near):
            places.add(cell)
    return {cell: next(near for near in _around(cell, _APART_FROM_STRONG) if near in places) for cell in counts}


def _around(cell: Cell, radius: int) -> Iterator[Cell]:
    """The cells within `radius`, the nearest first."""
    return ((cell[0] + x, cell[1] + y) for x, y in _offsets(radius))


@cache
def _offsets(radius: int) -> list[Cell]:
    side = range(-radius, radius + 1)
    square = [(x, y) for x in side for y in side]
    return sorted((one for one in square if math.hypot(*one) <= radius), key=lambda one: (math.hypot(*one), one))


class BeamShifts:
    """The beam shifts of some movies, and the place of each, kept as they come and go.

    Places have numbers of no meaning, which stay with them as long as they neither part nor meet. `settle` says for
    which movies the place is another one. The spacing is that of a sample of the movies, and places are found of counts
    in cells, rounded down to powers of 2: so that with 100 000 movies nearly all come into a cell whose place is known.
    """

    def __init__(self, smallest: float = 0.0) -> None:
        self._smallest = smallest
        self._shifts: dict[int, Shift] = {}
        self._sample: list[tuple[int, int]] = []
        self._checksums: dict[int, int] = {}
        self._width = 0.0
        self._members: dict[Cell, dict[int, None]] = {}
        self._place: dict[Cell, int] = {}
        self._last = 0
        self._resample = self._relocate = False
        self._new: list[int] = []

    def __len__(self) -> int:
        return len(self._shifts)

    def put(self, movie: int, name: str, shift: Shift) -> None:
        """Add a movie; its name, which is always the same, says whether it is one of the sample."""
        self._shifts[movie] = shift
        self._checksums[movie] = checksum = zlib.crc32(name.encode())
        if len(self._sample) < SAMPLED or (checksum, movie) < self._sample[-1]:
            bisect.insort(self._sample, (checksum, movie))
            del self._sample[SAMPLED:]
            self._resample = True
        self._enter(movie)
        self._new.append(movie)

    def drop(self, movie: int) -> None:
        """Take a movie out."""
        cell = self._cell(self._shifts.pop(movie))
        if (self._checksums.pop(movie), movie) <= self._sample[-1]:
            self._sample = sorted((checksum, one) for one, checksum in self._checksums.items())[:SAMPLED]
            self._resample = True
        self._note_count(cell, -1)
        del self._members[cell][movie]
        if not self._members[cell]:
            del self._members[cell]
            self._place.pop(cell, None)

    def place(self, movie: int) -> int:
        """The number of a movie's place, once `settle` has returned."""
        return self._place[self._cell(self._shifts[movie])]

    def settle(self) -> set[int]:
        """Find the places as they are now; returns all movies that are new or have another place than before."""
        former = {cell: {place} for cell, place in self._place.items()}
        if self._resample:
            former = self._rescaled(former)
        moved = self._locate(former) if self._relocate or self._resample else set()
        moved.update(movie for movie in self._new if movie in self._shifts)
        self._resample = self._relocate = False
        self._new = []
        return moved

    def _rescaled(self, former: dict[Cell, set[int]]) -> dict[Cell, set[int]]:
        """Find the spacing anew, in eighths of an octave. Where it is another, all movies have other cells.

        Takes the former places by cell, and returns them by today's cells.
        """
        shifts = np.array([self._shifts[movie] for _, movie in self._sample], np.float64).reshape(-1, 2)
        spacing = spacing_of(shifts, self._smallest)
        width = 0.0 if spacing is None else 2.0 ** (round(8 * math.log2(spacing)) / 8) / _CELLS
        if width == self._width:
            return former
        members, self._width, self._members = self._members, width, {}
        rescaled: dict[Cell, set[int]] = {}
        for cell, movies in members.items():
            for movie in movies:
                self._enter(movie)
                rescaled.setdefault(self._cell(self._shifts[movie]), set()).update(former.get(cell, ()))
        return rescaled

    def _locate(self, former: dict[Cell, set[int]]) -> set[int]:
        """Find the places anew. One that has parted or met another has a new number; returns the movies of those."""
        blocks: dict[Cell, list[Cell]] = {}
        for cell, place in places_of({cell: len(movies) for cell, movies in self._members.items()}).items():
            blocks.setdefault(place, []).append(cell)
        numbers = {place: set().union(*(former.get(cell, ()) for cell in cells)) for place, cells in blocks.items()}
        claims = Counter(number for found in numbers.values() for number in found)
        self._place = {}
        moved: set[int] = set()
        for place, cells in blocks.items():
            number = next(iter(numbers[place]), 0)
            if len(numbers[place]) != 1 or claims[number] != 1:
                self._last += 1
                number = self._last
                moved.update(movie for cell in cells for movie in self._members[cell])
            self._place.update(dict.fromkeys(cells, number))
        return moved

    def _enter(self, movie: int) -> None:
        cell = self._cell(self._shifts[movie])
        self._note_count(cell, 1)
        self._members.setdefault(cell, {})[movie] = None

    def _note_count(self, cell: Cell, by: int) -> None:
        count = len(self._members.get(cell, ()))
        self._relocate |= count.bit_length() != (count + by).bit_length()

    def _cell(self, shift: Shift) -> Cell:
        if not self._width:
            return 0, 0
        return math.floor(shift[0] / self._width), math.floor(shift[1] / self._width)
