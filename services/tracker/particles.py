"""Makes one particles.star from those of single movies, row by row, so that millions of rows need no memory."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from warpcore.services.formats.star_files import PARTICLE_COLUMNS, group_name, names_in_one_file
from warpcore.services.formats.star_text import Loop, loop_block, read_loops, row_words
from warpcore.services.session.allowed import PathOutsideError, inside, results_below
from warpcore.services.session.opening import open_file, result_path, within
from warpcore.services.session.optics_groups import FIRST_GROUP, apart
from warpcore.services.session.paths import written_whole
from warpcore.services.storage.faults import storage_kind

log = logging.getLogger("warpcore.tracker")

_GROUP_COLUMNS = ("rlnOpticsGroupName", "rlnOpticsGroup")
_MICROGRAPH = PARTICLE_COLUMNS.index("rlnMicrographName")

Columns = tuple[str, ...]
Optics = tuple[str, str]
Groups = dict[tuple[int, Optics], int]


def collect_particles(
    processing_directory: Path, files: Sequence[str], target: str, groups_now: Mapping[str, int]
) -> int:
    """Write `target` from the movies' particle files; returns the number of rows. Paths are relative to the directory.

    `groups_now` is the optics group of each movie, by the name of its average in the files; for others, the one in its
    file counts. A file that is missing or not as we write it is left out with a warning.
    Raises OSError, also where the storage keeps a file from being read.
    """
    groups, columns = _optics_groups(processing_directory, files, groups_now)
    count = 0
    with (
        written_whole(result_path(processing_directory, target)) as temporary,
        temporary.open("w", encoding="utf-8") as out,
    ):
        if groups:
            out.write(loop_block("optics", columns, _optics_rows(groups)))
        opening, closing = loop_block("particles", PARTICLE_COLUMNS, ["\0"]).split("\0")
        out.write(opening.removesuffix("\n"))
        for optics, particles in _loops(processing_directory, files, warn=False):
            number = groups.get((_group(particles, groups_now), _optics(optics)))
            if number is None:
                continue  # replaced since by one of other optics; the event that says so makes this file due again
            for row in particles.rows:
                own, _, rest = row.partition(" ")
                out.write(f"\n{row}" if own == str(number) else f"\n{number} {rest}")
                count += 1
        out.write(closing)
    return count


def _optics_groups(directory: Path, files: Sequence[str], groups_now: Mapping[str, int]) -> tuple[Groups, Columns]:
    """The number in the file of each group and its optics, and the columns of optics."""
    found: list[tuple[int, Optics]] = []
    columns: Columns = ()
    for optics, particles in _loops(directory, files):
        if columns and optics.columns != columns:
            continue
        columns = optics.columns
        found.append((_group(particles, groups_now), _optics(optics)))
    return apart(found), columns


def _optics_rows(groups: Groups) -> Iterator[str]:
    names = names_in_one_file((number, name) for (_, (name, _)), number in groups.items())
    values = {number: values for (_, (_, values)), number in groups.items()}
    return (f"{names[number]} {number} {values[number]}" for number in sorted(values))


def _group(particles: Loop, groups_now: Mapping[str, int]) -> int:
    """The optics group of a movie's particles."""
    if not particles.rows:
        return FIRST_GROUP
    row = row_words(particles.rows[0])
    return groups_now.get(row[_MICROGRAPH], int(row[0]))


def _loops(directory: Path, files: Iterable[str], *, warn: bool = True) -> Iterator[tuple[Loop, Loop]]:
    for name in files:
        try:
            with within(results_below(directory)), open_file(inside(directory, name)) as file:
                loops = read_loops(file.read().decode())
            optics, particles = loops["optics"], loops["particles"]
            if particles.columns != PARTICLE_COLUMNS or optics.columns[:2] != _GROUP_COLUMNS or len(optics.rows) != 1:
                raise ValueError("its columns are not those that this version writes")
        except (OSError, ValueError, KeyError, PathOutsideError) as error:
            if isinstance(error, OSError) and storage_kind(error) is not None:
                raise
            if warn:
                log.warning("%s: left out of the particles, it cannot be read (%s)", directory / name, error)
            continue
        yield optics, particles


def _optics(optics: Loop) -> Optics:
    """An optics row without its number: its name, "" where that says no more than the number, and its values."""
    name, number, values = optics.rows[0].split(" ", 2)
    return "" if name == group_name(int(number)) else name, values
