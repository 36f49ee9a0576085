"""Gain and defects files that settings name: whether they are there, and which ones exactly. The only place that looks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from warpcore.services.movies.defects import read_defects
from warpcore.services.movies.errors import InputError
from warpcore.services.movies.gain import read_gain
from warpcore.services.movies.readers import read_header
from warpcore.services.movies.settings import ImportSettings


def check_references(settings: ImportSettings) -> tuple[str, list[dict[str, Any]]]:
    """Identity (size and mtime of gain and defects files, part of each fingerprint) and what is wrong with them, one fault a file."""
    identities, faults = [], []
    for name in ("gain_path", "defects_path"):
        given = getattr(settings, name)
        if not given:
            continue
        try:
            found = Path(given).stat()
            if not Path(given).is_file():
                raise OSError(0, "is not a file")
        except (OSError, ValueError) as error:
            problem = (
                f"cannot be read: {getattr(error, 'strerror', None) or error}; give a file that all workers can read"
            )
            faults.append({"name": f"import.{name}", "value": given, "problem": problem})
            continue
        identities.append(f"{name}:{found.st_size}:{found.st_mtime_ns}")
    return " ".join(identities), faults


def check_fit(settings: ImportSettings, movies: Iterable[Path]) -> list[dict[str, Any]]:
    """What is wrong with the gain and defects files themselves, and beside a movie: a size that does not fit shows now, not later.

    The first of `movies` whose header can be read is the one to fit.
    """
    shape, is_eer = None, False
    for path in movies:
        try:
            header = read_header(path, settings)
        except (InputError, OSError):
            continue
        shape, is_eer = (header.height, header.width), path.suffix.lower() == ".eer"
        break
    faults = []
    for name, given in (("gain_path", settings.gain_path), ("defects_path", settings.defects_path)):
        try:
            if name == "gain_path":
                read_gain(settings, shape, is_eer)
            elif shape is not None:
                read_defects(settings, shape)
        except (InputError, OSError) as error:
            problem = str(error).removeprefix(f"import.{name} = ").removeprefix(f"{given}: ")
            faults.append({"name": f"import.{name}", "value": given, "problem": problem})
    return faults
