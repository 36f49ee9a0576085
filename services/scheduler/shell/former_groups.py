"""The numbers of optics groups as a session's lists tell them, where its state is lost: RELION has seen them there."""

from __future__ import annotations

import os.path
from contextlib import suppress
from pathlib import Path

from warpcore.services.formats.star_files import MOVIE_COLUMNS
from warpcore.services.formats.star_text import read_loops, row_words
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.session.allowed import results_below
from warpcore.services.session.opening import read_bytes, within
from warpcore.services.session.project import Project
from warpcore.services.session.tables import MOVIES

_LARGEST = 1 << 30
"""Bytes; of 100 000 movies the list has a fiftieth of that."""


class FormerGroups:
    """Looks up the former optics groups of movies by their names in movies.star, in the order of movies."""

    def __init__(self, processing: Path, project_root: str, data: Path) -> None:
        self._project = Project(str(processing.resolve()), project_root)
        self._data = data
        self._numbers: dict[str, int] = {}
        self._founded: set[int] = set()
        with suppress(OSError, ValueError, KeyError):
            with within(results_below(processing)):
                loop = read_loops(read_bytes(processing / MOVIES, _LARGEST).decode())["movies"]
            if loop.columns == MOVIE_COLUMNS:
                self._numbers = {name: int(number) for name, number in map(row_words, loop.rows)}

    def take_up(self, movie: MovieRecord) -> None:
        """Give a movie its former group; the first one of a group is its founder."""
        number = self._numbers.get(self._project.file(os.path.join(self._data, movie.path)), 0)
        movie.optics_group = number
        if number and number not in self._founded:
            self._founded.add(number)
            movie.founded_group = number
