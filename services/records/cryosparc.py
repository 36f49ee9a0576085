"""A session's micrographs, CTF fits and picks as cryoSPARC's exposures and particle locations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from warpcore.services.formats.cryosparc import Dataset, Exposure, ExposureCtf, exposures_dataset, joined, picks_dataset
from warpcore.services.formats.star_text import read_loops
from warpcore.services.records.processed import Processed
from warpcore.services.session.allowed import inside, results_below
from warpcore.services.session.errors import InputError
from warpcore.services.session.movie_record import MovieRecordFile
from warpcore.services.session.opening import RefusedFileError, read_bytes, within
from warpcore.services.session.project import Project
from warpcore.services.session.tables import CORRECTED
from warpcore.services.steps.step import INPUT

_LARGEST = 1 << 30
"""Bytes; of 100 000 movies the list of averages has a tenth of that."""


def cryosparc_datasets(
    session: Processed, link: str, uids: Mapping[str, int] | None = None
) -> tuple[Dataset, Dataset | None, int]:
    """Exposures and picks (None where nothing is picked) of the movies that pass the filter; and how many have no CTF.

    `link` is the name under which the processing directory is linked into cryoSPARC's project. `uids` are those of
    exposures that it has imported, by file name. Raises InputError where one of these is missing, and OSError.
    """
    groups = _groups(session)
    exposures, locations = [], []
    for movie in session.good:
        exposure = _exposure(session, movie, groups, link)
        if exposure is None:
            continue
        exposures.append(exposure)
        if exposure.ctf is not None and (coordinates := (movie.results.get("picking") or {}).get("coordinates")):
            (loop,) = read_loops(_result(session, coordinates)).values()
            rows = np.array([row.split()[:2] for row in loop.rows], np.float64).reshape(-1, 2)
            locations.append(picks_dataset(exposure, rows[:, 0], rows[:, 1], uids))
    fitted = [one for one in exposures if one.ctf is not None]
    if uids is not None and (lost := [one.path for one in fitted if one.path.rpartition("/")[2] not in uids]):
        raise InputError(
            f"{len(lost)} micrographs are not among those that cryoSPARC has imported, the first: {lost[0]}"
        )
    picks = joined(locations) if locations else None
    return exposures_dataset(exposures, uids), picks, len(exposures) - len(fitted)


def _result(session: Processed, name: str) -> str:
    """The text of a result. Raises InputError where it may not be read, and OSError."""
    with within(results_below(session.processing)):
        return read_bytes(inside(session.processing, name), _LARGEST).decode()


def _groups(session: Processed) -> dict[str, int]:
    """The optics group of each average, as RELION's list has it: exposure groups are the same in both programs."""
    try:
        loop = read_loops(_result(session, CORRECTED))["micrographs"]
    except (OSError, KeyError, ValueError, RefusedFileError) as error:
        raise InputError(
            f"{session.processing / CORRECTED}: cannot be read ({error}), so groups are not known"
        ) from None
    name, group = loop.columns.index("rlnMicrographName"), loop.columns.index("rlnOpticsGroup")
    # The group stands behind two names, which may be quoted and hold blanks, and before numbers.
    found = {}
    for row in loop.rows:
        words = _words(row)
        found[words[name]] = int(words[group])
    return found


def _words(row: str) -> list[str]:
    words, rest = [], row.strip()
    while rest:
        if rest[0] in "'\"":
            word, _, rest = rest[1:].partition(rest[0])
        else:
            word, _, rest = rest.partition(" ")
        words.append(word)
        rest = rest.strip()
    return words


def _exposure(session: Processed, movie: MovieRecordFile, groups: Mapping[str, int], link: str) -> Exposure | None:
    told = movie.results.get(INPUT) or {}
    average = (movie.results.get("export") or {}).get("average")
    if average is None:
        return None
    # Where the directory is given as a link, a session's lists name what it leads to, those of `process` the link.
    folders = (session.processing.resolve(), session.processing.absolute())
    names = (Project(str(folder), session.settings.export.project_root).output(average) for folder in folders)
    group = next((groups[name] for name in names if name in groups), None)
    if group is None:
        return None
    path = average if average.startswith("/") else f"{link}/{average}"
    return Exposure(
        path=path,
        shape=(told["height"], told["width"]),
        pixel_size_angstrom=told["pixel_size_angstrom"],
        voltage_kv=told["voltage_kv"],
        cs_mm=told["cs_mm"],
        amplitude_contrast=session.settings.ctf.amplitude_contrast,
        dose=told["dose_per_frame"] * told["frames"],
        group=group,
        mrc_mode=12 if session.settings.export.float16 else 2,
        ctf=_ctf(movie.results.get("ctf") or {}),
    )


def _ctf(fit: Mapping[str, Any]) -> ExposureCtf | None:
    if fit.get("defocus_u_angstrom") is None:
        return None
    return ExposureCtf(
        defocus_u_angstrom=fit["defocus_u_angstrom"],
        defocus_v_angstrom=fit["defocus_v_angstrom"],
        angle_degrees=fit["defocus_angle_degrees"],
        phase_shift_degrees=180 * (fit.get("phase_shift_pi") or 0.0),
        resolution_angstrom=fit.get("resolution_angstrom"),
    )
