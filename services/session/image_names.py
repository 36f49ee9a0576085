"""What a file's name says of it: a reference, an average of a movie, an image of an atlas, a square or a hole. Pure.

EPU: `Atlas_1.mrc`, `Tile_123_0_1.mrc`, `GridSquare_<date>_<time>.mrc`, `FoilHoles/FoilHole_<id>_<date>_<time>.mrc`, and
beside each movie `FoilHole_…_Data_…_Fractions.mrc` its average `FoilHole_…_Data_….mrc`. SerialEM calls montages LMM and
MMM, Leginon ends the names of grid, square and hole images in `gr`, `sq` and `hl`.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import PurePosixPath

_REFERENCE = re.compile(r"(gains?|darks?|(count|super|gain|dark)?ref(erence)?s?|defects?(map)?)", re.IGNORECASE)
_MONTAGE = re.compile(r"(lmm|mmm)", re.IGNORECASE)
_OVERVIEW = re.compile(
    r"Atlas(_\d+)?|Tile_\d+_\d+_\d+.*|GridSquare_\d{8}_\d{4,6}.*|FoilHole_\d+_\d{8}_\d{4,6}.*|.*\d{5}(gr|sqa?|hla?)(_v\d+)?",
    re.IGNORECASE,
)
_OF_MOVIES = ("_Fractions", "_fractions", "_EER", "_eer", "_frames", ".frames", "_movie")
"""What stands behind the name of an exposure where a file holds its frames."""
_OF_AVERAGES = ("_sum", "_Sum", "_SumCorr", "_aligned", "_ali", "_average", "_avg", "_mean", "_DW", "_dw", "_corrected")
_MOVIE_ENDINGS = (".tif", ".tiff", ".mrc", ".mrcs", ".eer")
_IMAGE_ENDINGS = (".mrc", ".mrcs", ".tif", ".tiff")
_WILDCARDS = re.compile(r"[*?\[]")


def reference_word(name: str) -> str:
    """The word in a file's name that a reference has (`gain`, `CountRef`, `dark`, …), "" where there is none.

    Words end at digits, signs and capital letters: `preferred.mrc` and `again.mrc` have none.
    """
    return _word(name, _REFERENCE)


def montage_word(name: str) -> str:
    """`LMM` or `MMM` where a name has it as a word: a montage at low magnification, of any number of frames."""
    return _word(name, _MONTAGE)


def is_overview(path: str) -> bool:
    """Whether a single image of this name and folder is that of an atlas, a square or a hole."""
    pure = PurePosixPath(path)
    return _OVERVIEW.fullmatch(pure.stem) is not None or pure.parent.name.lower() in ("atlas", "foilholes")


def average_words(name: str) -> str:
    """The ending of a name that averages have, "" where it has none."""
    stem = PurePosixPath(name).stem
    return next((word for word in _OF_AVERAGES if stem.endswith(word)), "")


def movies_of(average: str) -> Iterator[str]:
    """Paths that the movie of an average could have."""
    return _paths(average, _OF_AVERAGES, ("", *_OF_MOVIES), _MOVIE_ENDINGS)


def averages_of(movie: str) -> Iterator[str]:
    """Paths that averages of a movie could have."""
    return _paths(movie, _OF_MOVIES, ("", *_OF_AVERAGES), _IMAGE_ENDINGS)


def says_movie(name: str) -> bool:
    """Whether a name says that the file holds the frames of an exposure."""
    return PurePosixPath(name).stem.endswith(_OF_MOVIES)


def is_movie_ending(name: str) -> bool:
    """Whether a file of this name can be a movie, by its ending."""
    return PurePosixPath(name).suffix.lower() in _MOVIE_ENDINGS


def matches(patterns: tuple[str, ...], name: str) -> bool:
    """Whether a file name, in small or capital letters, is one of these patterns."""
    return _expression(patterns).match(name) is not None


def asks_for(patterns: Iterable[str], name: str, words: Iterable[str] = ()) -> bool:
    """Whether a pattern asks for just this file: it has no wildcards, or says one of the `words` (`dark_*.mrc`)."""
    words = [word.lower() for word in words if word]
    return any(
        matches((pattern,), name) and (not _WILDCARDS.search(pattern) or any(word in pattern.lower() for word in words))
        for pattern in patterns
    )


@lru_cache(maxsize=16)
def _expression(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns), re.IGNORECASE)


def _word(name: str, meant: re.Pattern[str]) -> str:
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", PurePosixPath(name).stem)
    return next((word for word in words if meant.fullmatch(word)), "")


def _paths(path: str, own: tuple[str, ...], others: tuple[str, ...], endings: tuple[str, ...]) -> Iterator[str]:
    """Paths in the same folder with other words behind the same exposure's name, without `path` itself."""
    pure = PurePosixPath(path)
    exposures = dict.fromkeys([pure.stem, *(pure.stem.removesuffix(word) for word in own)])
    for exposure in exposures:
        for other in others:
            for ending in endings:
                name = f"{exposure}{other}{ending}"
                if name != pure.name:
                    yield str(pure.with_name(name))
