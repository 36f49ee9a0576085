"""What names and folders say of a movie: where it was recorded, and what its file of metadata may be called.

EPU: `Images-Disc1/GridSquare_<square>/Data/FoilHole_<hole>_Data_<area>_<n>_<date>_<time>` and then `_Fractions.mrc`,
`_fractions.tiff`, `_EER.eer`, or `-<number>.mrc` of a K2; the XML has no more than the time. `<area>` is the template
position within a hole, the same in every hole. SerialEM (`CParticleTasks::CurrentHoleAndPosition`): `X+1Y-1-2` or
`R1H3-2`, hole and position, in a multiple record; `h1_s2` and `hole2-shot3` come from scripts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from warpcore.services.readers.metadata.values import name_time

METADATA_ENDINGS = (".xml", ".mdoc", ".json")

MULTISHOT = re.compile(
    r"(?P<hole>X[+-]\d+Y[+-]\d+|R\d+H\d+|\d+|(?:hole|h)(?P<number>\d+))[-_ ](?:shot|s)?(?P<shot>\d+)", re.IGNORECASE
)
"""Hole and position as SerialEM writes them into an mdoc; `1 1` in early versions."""

_IN_NAME = re.compile(
    r"(?:^|[_-])(?P<both>X[+-]\d+Y[+-]\d+-\d+|R\d+H\d+-\d+|h(?:ole)?\d+[_-]s(?:hot)?\d+)(?=[_.-]|$)", re.IGNORECASE
)
_EPU = re.compile(
    r"(?P<base>FoilHole_(?P<hole>\d+)_Data_(?P<area>\d+)_\d+_(?P<time>\d{8}_\d{4}(?:\d\d)?))(?!\d)", re.IGNORECASE
)
_SQUARE = re.compile(r"GridSquare_(?P<square>\d+)", re.IGNORECASE)
_DISC = re.compile(r"Images-Disc\d+", re.IGNORECASE)
_OF_FRAMES = re.compile(r"_(?:fractions|eer|frames)$", re.IGNORECASE)


class Place(NamedTuple):
    """Ids of where a movie was recorded; None: not told. `area` is the position in the template of a hole or pattern.

    `shot` is the position within the hole, `recorded_at` the time in the name, epoch seconds.
    """

    grid: str | None = None
    square: str | None = None
    hole: str | None = None
    area: str | None = None
    shot: str | None = None
    recorded_at: float | None = None


def place_of_name(movie: str) -> Place:
    """What the path of a movie, relative to the data directory, says."""
    path = PurePosixPath(movie)
    epu = _EPU.match(path.name)
    squares = [match["square"] for part in path.parts[:-1] if (match := _SQUARE.fullmatch(part))]
    square = squares[-1] if squares else None
    if epu is not None:
        return Place(_grid_of(path), square, epu["hole"], epu["area"], recorded_at=name_time(epu["time"]))
    shot = _IN_NAME.search(path.stem)
    multishot = multishot_of(shot["both"]) if shot is not None else Place()
    return multishot._replace(grid=_grid_of(path), square=square)


def multishot_of(text: str) -> Place:
    """Hole, position within it, and both as the area, of what SerialEM writes; nothing of other texts."""
    match = MULTISHOT.fullmatch(text.strip())
    if match is None:
        return Place()
    hole = match["number"] or match["hole"]
    return Place(hole=hole, area=f"{hole}-{match['shot']}", shot=match["shot"])


def metadata_candidates(movie: str) -> tuple[str, ...]:
    """File names that a movie's metadata may have, the most likely first; its own JSON comes last."""
    path = PurePosixPath(movie)
    epu = _EPU.match(path.name)
    base = epu["base"] if epu is not None else _OF_FRAMES.sub("", path.stem)
    names = (f"{base}.xml", f"{path.stem}.xml", f"{path.name}.mdoc", f"{path.stem}.mdoc", f"{path.stem}.json")
    return tuple(dict.fromkeys(names))


def chosen_metadata(movie: str, found: Mapping[str, Collection[str]]) -> str | None:
    """The path of a movie's metadata among those `found`, by file name; paths are relative to the data directory.

    A file beside the movie comes first. EPU's names are unique in the world, so one may lie elsewhere: movies and
    images often have a tree each. Two equal ones elsewhere are no choice, unless one has the movie's `GridSquare_`.
    """
    folder = PurePosixPath(movie).parent
    names = metadata_candidates(movie)
    for name in names:
        for path in found.get(name, ()):
            if PurePosixPath(path).parent == folder:
                return path
    if _EPU.match(PurePosixPath(movie).name) is None:
        return None
    elsewhere = sorted(found.get(names[0], ()))
    square = place_of_name(movie).square
    same_square = [path for path in elsewhere if square is not None and place_of_name(path).square == square]
    fitting = same_square or elsewhere
    return fitting[0] if len(fitting) == 1 else None


def _grid_of(path: PurePosixPath) -> str | None:
    """The folder that holds `Images-Disc1`: EPU makes one for each grid."""
    for above, part in zip(path.parts, path.parts[1:], strict=False):
        if _DISC.fullmatch(part):
            return above
    return None
