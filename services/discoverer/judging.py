"""Which whole files are no movies: references, averages of movies, images of atlas, square and hole."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from warpcore.bus.messages import Header
from warpcore.services.discoverer.listing import Watched
from warpcore.services.readers.averages import movie_of, movies_beside
from warpcore.services.readers.containers import Contents
from warpcore.services.readers.reference import read_reference_image
from warpcore.services.readers.reference_images import is_like_a_gain
from warpcore.services.session.errors import InputError
from warpcore.services.session.image_names import (
    average_words,
    is_overview,
    montage_word,
    reference_word,
)

COARSEST_MOVIE_ANGSTROM = 10.0
"""Single images with larger pixels are of a square or an atlas."""
_BINNINGS = (1, 2, 4)
"""An average may be binned, or a movie be super-resolution."""


class Kind(Enum):
    """What a file is that is no movie; the value says it of many."""

    REFERENCE = "references"
    AVERAGE = "averages of movies"
    OVERVIEW = "images of atlas, squares and holes"


@dataclass(frozen=True, slots=True)
class NotTaken:
    """What a file is instead of a movie, and why it looks so."""

    kind: Kind
    reason: str


def why_not_taken(
    directory: Path, path: str, contents: Contents, header: Header | None, watched: Watched
) -> NotTaken | None:
    """What a whole file at a path relative to `directory` is, None where it counts as a movie.

    Of several frames only a montage is none. A pattern that asks for the file makes it a movie.
    """
    full = directory / path
    word, montage = reference_word(full.name), montage_word(full.name)
    if watched.asks_for(full.name, (word, montage, average_words(full.name))):
        return None
    if montage:
        return NotTaken(Kind.OVERVIEW, f"{montage!r} in its name")
    if contents.frames != 1:
        return None
    if word:
        return NotTaken(Kind.REFERENCE, f"one frame, and {word!r} in its name")
    if is_overview(path):
        return NotTaken(Kind.OVERVIEW, "one frame, and the name or folder of such images")
    pixel = header.pixel_size_angstrom if header is not None else None
    if pixel is not None and pixel > COARSEST_MOVIE_ANGSTROM:
        return NotTaken(Kind.OVERVIEW, f"one frame, with pixels of {pixel:.3g} Å")
    if movie := movie_of(full):
        return NotTaken(Kind.AVERAGE, f"one frame beside {movie}")
    if movie := _movie_beside(full, contents, watched):
        if contents.is_float and _is_like_a_gain(full):
            return NotTaken(Kind.REFERENCE, "one frame with the values of a gain, as large as the movies beside it")
        return NotTaken(Kind.AVERAGE, f"one frame, as large as movies beside it such as {movie}")
    return None


def _movie_beside(path: Path, contents: Contents, watched: Watched) -> str:
    """The name of a movie of several frames and this size, perhaps turned, among a few files of the same folder."""
    others = movies_beside(path, watched.name_filter())
    return next((movie.name for movie, found in others if _same_field(found, contents)), "")


def _same_field(movie: Contents, image: Contents) -> bool:
    sizes = sorted((movie.height, movie.width)), sorted((image.height, image.width))
    return any(
        [one * binning for one in small] == large for binning in _BINNINGS for small, large in (sizes, sizes[::-1])
    )


def _is_like_a_gain(path: Path) -> bool:
    try:
        return is_like_a_gain(read_reference_image(path))
    except (InputError, OSError):
        return False
