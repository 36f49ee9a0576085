"""Files that settings name: whether they exist, which ones exactly, and whether they can be used."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from warpcore.services.readers.defects import read_defects
from warpcore.services.readers.gain import read_gain
from warpcore.services.readers.movies import read_header
from warpcore.services.readers.picking_files import check_templates, check_weights, content_hash
from warpcore.services.session.errors import InputError
from warpcore.services.session.named_files import UsedFile, file_settings, used_files
from warpcore.services.session.settings import ImportSettings, Settings, SettingsError, changed_names


def check_references(settings: Settings) -> tuple[str, list[dict[str, Any]]]:
    """Identities of the files that matter under these settings (part of the fingerprints) and what is wrong with them.

    As its setting declares, a file counts by its size and mtime or by what it holds: `gain_path:…` for one of `import`,
    `picking.templates_path:…` for one of a step.
    """
    identities, faults = [], []
    for one in used_files(settings):
        try:
            identities.append(f"{_key(one.name)}:{_identity(one)}")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            problem = f"cannot be read: {reason}; give a file that all workers can read"
            faults.append({"name": one.name, "value": one.path, "problem": problem})
    return " ".join(identities), faults


@dataclass(frozen=True, slots=True)
class Present:
    """What new settings are compared with: those in force and the identities of their files, and a few movies."""

    settings: Settings
    references: str
    data_directory: Path
    movies: list[Path]


def check_settings(settings: Settings, present: Present) -> tuple[Settings, str]:
    """New settings with the session's data directory, and the identities of the files that they name.

    Raises SettingsError where the directory is another one, or where a file of a changed section cannot be used.
    """
    data = str(present.data_directory)
    given = settings.import_.data
    if given and os.path.abspath(given) != data and os.path.realpath(given) != data:
        problem = f"this session's data directory is {data}; leave it, or start another session"
        raise SettingsError([{"name": "import.data", "value": given, "problem": problem}])
    settings = settings.model_copy(update={"import_": settings.import_.model_copy(update={"data": data})})
    references, faults = check_references(settings)
    if settings.import_ != present.settings.import_:
        faults = faults or check_fit(settings.import_, present.movies)
    if settings.picking != present.settings.picking:
        faults = faults or check_picking(settings)
    changed = {name.partition(".")[0] for name in changed_names(present.settings, settings)}
    if refused := [fault for fault in faults if fault["name"].partition(".")[0] in changed]:
        raise SettingsError(refused)
    return settings, with_known(references, present.references, faults)


def with_known(found: str, known: str, faults: Iterable[dict[str, Any]]) -> str:
    """Identities found now, and those known from before of files that cannot be read now, in the settings' order."""
    gone = tuple(f"{_key(fault['name'])}:" for fault in faults)
    every = {
        one.partition(":")[0]: one for one in [*(one for one in known.split() if one.startswith(gone)), *found.split()]
    }
    return " ".join(every[key] for key in map(_key, file_settings()) if key in every)


def _key(name: str) -> str:
    return name.removeprefix("import.")


def _identity(one: UsedFile) -> str:
    path = Path(one.path)
    found = path.stat()
    if not path.is_file():
        raise OSError(0, "is not a file")
    if one.identity == "time":
        return f"{found.st_size}:{found.st_mtime_ns}"
    return _hashed(one.path, found.st_size, found.st_mtime_ns, found.st_ino)


def check_fit(settings: ImportSettings, movies: Iterable[Path]) -> list[dict[str, Any]]:
    """What is wrong with the gain and defects files, by themselves and beside a movie, whose size they must fit.

    It is compared with the first of `movies` whose header can be read.
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


def check_picking(settings: Settings) -> list[dict[str, Any]]:
    """What is wrong with the files that the chosen picking method uses."""
    checks = {"picking.templates_path": check_templates, "picking.weights_path": check_weights}
    faults = []
    for one in used_files(settings):
        if one.name in checks:
            try:
                checks[one.name](settings.picking)
            except (InputError, OSError) as error:
                problem = str(error).removeprefix(f"{one.path}: ")
                faults.append({"name": one.name, "value": one.path, "problem": problem})
    return faults


@lru_cache(maxsize=8)
def _hashed(path: str, size: int, mtime_ns: int, inode: int) -> str:
    """The content's hash, taken again where size, mtime or inode say that it is another file."""
    return content_hash(Path(path))
