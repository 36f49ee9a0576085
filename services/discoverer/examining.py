"""A look into one file: whether it is whole, and whether it is a movie or a reference that lies among movies."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from warpcore.services.discoverer.listing import Identity, Watched, look
from warpcore.services.readers.containers import ContainerError, Contents, check_container
from warpcore.services.readers.reference import read_reference_image
from warpcore.services.readers.reference_images import is_like_a_gain, reference_word
from warpcore.services.session.errors import InputError
from warpcore.services.session.named_files import NamedFiles

_MOST_NEIGHBOURS = 8


@dataclass(frozen=True, slots=True)
class Examined:
    """What a look into a file found.

    `identity` is None where the file is gone. `fault` says what is wrong with its container, `unreadable` why it cannot
    be read, `reference` why it looks like a reference. `named`: a setting names it.
    """

    identity: Identity | None
    fault: str = ""
    unreadable: str = ""
    reference: str = ""
    named: bool = False


def examine(directory: Path, path: str, watched: Watched) -> Examined:
    """Look into one file. Opening it also makes a network file system tell its true size."""
    full = directory / path
    if NamedFiles(watched.named).have(full):
        return Examined(look(directory, path), named=True)
    try:
        contents = check_container(full)
    except ContainerError as error:
        return Examined(look(directory, path), fault=error.reason)
    except FileNotFoundError:
        return Examined(None)
    except OSError as error:
        return Examined(None, unreadable=error.strerror or str(error))
    return Examined(look(directory, path), reference=why_reference(full, contents, watched))


def why_reference(path: Path, contents: Contents, watched: Watched) -> str:
    """Why a whole file looks like a gain, dark or defect map; "" where it counts as a movie.

    Only a single image can be one: with such a word in its name, or with the values of a gain and the size of movies
    beside it. A pattern that asks for the file makes it a movie.
    """
    word = reference_word(path.name)
    if contents.frames != 1 or watched.asks_for(path.name, word):
        return ""
    if word:
        return f"one frame, and {word!r} in its name"
    if contents.is_float and _lies_among_movies(path, contents, watched) and _is_like_a_gain(path):
        return "one frame with the values of a gain, as large as the movies beside it"
    return ""


def _lies_among_movies(path: Path, contents: Contents, watched: Watched) -> bool:
    """Whether one of a few files in the same folder is a movie of several frames of this size, perhaps turned."""
    counts = watched.name_filter()
    size = {contents.height, contents.width}
    looked_into = 0
    try:
        with os.scandir(path.parent) as entries:
            for entry in entries:
                if not counts(entry.name) or entry.name == path.name or not entry.is_file():
                    continue
                looked_into += 1
                if _is_movie(Path(entry.path), size):
                    return True
                if looked_into == _MOST_NEIGHBOURS:
                    break
    except OSError:
        pass
    return False


def _is_movie(path: Path, size: set[int]) -> bool:
    try:
        contents = check_container(path)
    except (ContainerError, OSError):
        return False
    return contents.frames > 1 and {contents.height, contents.width} == size


def _is_like_a_gain(path: Path) -> bool:
    try:
        return is_like_a_gain(read_reference_image(path))
    except (InputError, OSError):
        return False
