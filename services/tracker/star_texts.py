"""The texts of the STAR files that list movies and micrographs, from the rows of each movie."""

from __future__ import annotations

from collections.abc import Callable

from warpcore.services.formats import star_files
from warpcore.services.session.tables import AUTOPICK, CORRECTED, CTF, MOVIES
from warpcore.services.tracker.documents import Rows


def _movies(groups: list[star_files.OpticsGroup], made: list[Rows]) -> str:
    return star_files.movies_star(groups, [row.movie for row in made if row.movie is not None])


def _corrected(groups: list[star_files.OpticsGroup], made: list[Rows]) -> str:
    """Name halves only where every micrograph has them, since all rows of a loop have the same columns."""
    present = [row for row in made if row.corrected is not None]
    halves = bool(present) and all(row.halves is not None for row in present)
    lines = [f"{row.corrected} {row.halves}" if halves else str(row.corrected) for row in present]
    return star_files.corrected_micrographs_star(groups, lines, halves=halves)


def _ctf(groups: list[star_files.OpticsGroup], made: list[Rows]) -> str:
    return star_files.micrographs_ctf_star(groups, [row.ctf for row in made if row.ctf is not None])


def _autopick(groups: list[star_files.OpticsGroup], made: list[Rows]) -> str:
    return star_files.autopick_star([row.autopick for row in made if row.autopick is not None])


STAR_TEXTS: dict[str, Callable[[list[star_files.OpticsGroup], list[Rows]], str]] = {
    MOVIES: _movies,
    CORRECTED: _corrected,
    CTF: _ctf,
    AUTOPICK: _autopick,
}
