"""Tells averages of movies by the movies that lie beside them; what is given as a gain must be none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from warpcore.services.readers.containers import ContainerError, Contents, check_container
from warpcore.services.readers.metadata.names import place_of_name
from warpcore.services.readers.reference import read_reference_image
from warpcore.services.readers.reference_images import is_like_a_gain
from warpcore.services.session.errors import InputError
from warpcore.services.session.image_names import (
    is_movie_ending,
    montage_word,
    movies_of,
    reference_word,
    says_movie,
)

_MOST_NEIGHBOURS = 16
"""So many files of a folder tell whether it holds movies."""


def contents_of(path: Path) -> Contents | None:
    """What a whole file holds, None where it is not whole or cannot be read."""
    try:
        return check_container(path)
    except (ContainerError, InputError, OSError):
        return None


def movie_of(average: Path) -> str:
    """The name of the movie of the same exposure in the same folder, "" where there is none.

    One that is still being written counts where its name says what it is.
    """
    for path in map(Path, movies_of(str(average))):
        if path.is_file():
            found = contents_of(path)
            is_movie = says_movie(path.name) if found is None else found.frames > 1
            if is_movie:
                return path.name
    return ""


def fault_as_gain(path: Path) -> str:
    """Why an image is an average and no gain; "" where it may be one, or cannot be read.

    A name with a reference's word is believed. Else its name tells, or its values among movies that a gain multiplies.
    """
    if reference_word(path.name):
        return ""
    advice = "give the camera's gain reference, or null; a gain with this name needs another, such as gain_….mrc"
    if movie := movie_of(path):
        return f"it looks like an average of {movie} beside it, not like a gain; {advice}"
    if place_of_name(path.name).hole is not None:
        return f"it has the name of an exposure, so it looks like its average, not like a gain; {advice}"
    beside = next((movie for movie, _ in movies_beside(path)), None)
    if beside is None or beside.suffix.lower() == ".eer":
        return ""  # of EERs' gains that divide the mean may be any
    try:
        is_gain = is_like_a_gain(read_reference_image(path))
    except (InputError, OSError):
        return ""
    text = f"it lies among movies such as {beside.name}, and its values are no factors with a mean of about 1"
    return "" if is_gain else f"{text}: it looks like an average; {advice}"


def movies_beside(path: Path, counts: Callable[[str], bool] = is_movie_ending) -> Iterator[tuple[Path, Contents]]:
    """Movies of several frames, and no montages, among a few files of the same folder whose names count."""
    try:
        with os.scandir(path.parent) as entries:
            counted = (one for one in entries if counts(one.name) and one.name != path.name)
            others = (Path(one.path) for one in counted if not montage_word(one.name) and one.is_file())
            for other in islice(others, _MOST_NEIGHBOURS):
                found = contents_of(other)
                if found is not None and found.frames > 1:
                    yield other, found
    except OSError:
        return
