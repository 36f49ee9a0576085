"""Makes one particles.star from those of single movies, row by row, so that millions of rows need no memory."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from warpcore.services.formats.star_files import PARTICLE_COLUMNS
from warpcore.services.formats.star_text import Loop, loop_block, read_loops
from warpcore.services.session.paths import PathOutsideError, inside, written_whole

log = logging.getLogger("warpcore.tracker")

_GROUP_COLUMNS = ("rlnOpticsGroupName", "rlnOpticsGroup")


def collect_particles(processing_directory: Path, files: Sequence[str], target: str) -> int:
    """Write `target` from the movies' particle files; returns the number of rows. Paths are relative to the directory.

    Movies with equal optics share a group. A file that is missing or not as we write it is left out with a warning.
    """
    groups, columns = _optics_groups(processing_directory, files)
    count = 0
    with written_whole(processing_directory / target) as temporary, temporary.open("w", encoding="utf-8") as out:
        if groups:
            rows = (f"opticsGroup{number} {number} {values}" for values, number in groups.items())
            out.write(loop_block("optics", columns, rows))
        opening, closing = loop_block("particles", PARTICLE_COLUMNS, ["\0"]).split("\0")
        out.write(opening.removesuffix("\n"))
        for optics, particles in _loops(processing_directory, files, warn=False):
            number = groups.get(_values(optics))
            if number is None:
                continue  # replaced since by one of other optics; the event that says so makes this file due again
            for row in particles.rows:
                own, _, rest = row.partition(" ")
                out.write(f"\n{row}" if own == str(number) else f"\n{number} {rest}")
                count += 1
        out.write(closing)
    return count


def _optics_groups(directory: Path, files: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """The group number of each kind of optics, in the order of the files, and the columns of optics.

    Optics are told by the text of their row without name and number.
    """
    groups: dict[str, int] = {}
    columns: tuple[str, ...] = ()
    for optics, _ in _loops(directory, files):
        if columns and optics.columns != columns:
            continue
        columns = optics.columns
        groups.setdefault(_values(optics), len(groups) + 1)
    return groups, columns


def _loops(directory: Path, files: Iterable[str], *, warn: bool = True) -> Iterator[tuple[Loop, Loop]]:
    for name in files:
        try:
            loops = read_loops(inside(directory, name).read_text(encoding="utf-8"))
            optics, particles = loops["optics"], loops["particles"]
            if particles.columns != PARTICLE_COLUMNS or optics.columns[:2] != _GROUP_COLUMNS or len(optics.rows) != 1:
                raise ValueError("its columns are not those that this version writes")
        except (OSError, ValueError, KeyError, PathOutsideError) as error:
            if warn:
                log.warning("%s: left out of the particles, it cannot be read (%s)", directory / name, error)
            continue
        yield optics, particles


def _values(optics: Loop) -> str:
    """An optics row without its name and number."""
    return optics.rows[0].split(" ", 2)[2]
