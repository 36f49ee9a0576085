"""Files that settings name: whether they exist, which ones exactly, and whether they can be used."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from warpcore.services.readers.averages import fault_as_gain
from warpcore.services.readers.defects import check_defects, read_defects
from warpcore.services.readers.gain import read_gain
from warpcore.services.readers.metadata import MOST_METADATA_BYTES, parsed_template
from warpcore.services.readers.movies import read_header
from warpcore.services.readers.picking_files import check_templates, content_hash, read_weights
from warpcore.services.session.allowed import Allowed
from warpcore.services.session.errors import InputError
from warpcore.services.session.named_files import UsedFile, file_settings, named_paths, used_files
from warpcore.services.session.opening import check_file, read_bytes, within
from warpcore.services.session.settings import ImportSettings, Settings, SettingsError, changed_names, patch_settings
from warpcore.services.session.workable import Held, refused_for


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
            faults.append(_fault(one.name, one.path, error))
    return " ".join(identities), faults


@dataclass(frozen=True, slots=True)
class Present:
    """What new settings are compared with: those in force and the identities of their files, and movies.

    `allowed` is what they may name, `movies` are a few paths to compare reference files with, `held` the sizes of many.
    """

    settings: Settings
    references: str
    data_directory: Path
    allowed: Allowed
    movies: list[Path]
    held: Sequence[Held] = ()


def check_settings(settings: Settings, present: Present) -> tuple[Settings, str]:
    """New settings with the session's data directory, and the identities of the files that they name.

    Raises SettingsError where the directory is another one, where a file of a changed section may not be read or cannot
    be used, or where they cannot work with most of the session's movies.
    """
    with within(present.allowed):
        return _checked(settings, present)


def _checked(settings: Settings, present: Present) -> tuple[Settings, str]:
    data = str(present.data_directory)
    given = settings.import_.data
    if given and os.path.abspath(given) != data and os.path.realpath(given) != data:
        problem = f"this session's data directory is {data}; leave it, or start another session"
        raise SettingsError([{"name": "import.data", "value": given, "problem": problem}])
    settings = settings.model_copy(update={"import_": settings.import_.model_copy(update={"data": data})})
    settings = _absolute(settings, present.settings)
    references, faults = check_references(settings)
    known = {fault["name"] for fault in faults}
    faults += [fault for fault in check_kinds(settings, present.settings) if fault["name"] not in known]
    if settings.import_ != present.settings.import_:
        faults = faults or check_fit(settings.import_, present.movies)
    if settings.import_.gain_path != present.settings.import_.gain_path:
        faults = faults or check_gain(settings.import_.gain_path)
    if unfit := refused_for(settings, present.settings, present.held):
        raise SettingsError(unfit)
    changed = {name.partition(".")[0] for name in changed_names(present.settings, settings)}
    if refused := [fault for fault in faults if fault["name"].partition(".")[0] in changed]:
        raise SettingsError(refused)
    return settings, with_known(references, present.references, faults)


def _absolute(settings: Settings, present: Settings) -> Settings:
    """With the full path of each file that is newly named: a worker, started elsewhere, would look in another place."""
    known = named_paths(present)
    for name, path in named_paths(settings).items():
        if path != known.get(name) and not os.path.isabs(path):
            section, _, field = name.partition(".")
            settings = patch_settings(settings, {section: {field: os.path.abspath(path)}})
    return settings


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
    found = check_file(one.path)
    if one.identity == "time":
        return f"{found.st_size}:{found.st_mtime_ns}"
    return _hashed(one.path, found.st_size, found.st_mtime_ns, found.st_ino)


def _fault(name: str, path: str, error: OSError | ValueError) -> dict[str, Any]:
    """An error of a file in the form of a setting's faults; the file is named once."""
    if isinstance(error, OSError):
        problem = f"cannot be read: {error.strerror or error}; give a file that all workers can read"
    else:
        problem = str(error).removeprefix(f"{name} = ").removeprefix(f"{path}: ")
    return {"name": name, "value": path, "problem": problem}


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
            faults.append(_fault(f"import.{name}", given or "", error))
    return faults


def check_gain(path: str | None) -> list[dict[str, Any]]:
    """What is wrong with the image of `import.gain_path`, where it is a movie's average."""
    problem = "" if path is None else fault_as_gain(Path(path))
    return [{"name": "import.gain_path", "value": path, "problem": problem}] if problem else []


def check_kinds(settings: Settings, present: Settings) -> list[dict[str, Any]]:
    """What is wrong with each file that is newly named, or newly read: it must be what its setting says.

    No text of these holds anything of a file.
    """
    known = named_paths(present)
    in_use = {one.name for one in used_files(settings)} if settings.picking != present.picking else set()
    faults = []
    for name, path in named_paths(settings).items():
        if known.get(name) == path and name not in in_use:
            continue
        try:
            check_file(path)
            if name in _KINDS:
                _KINDS[name](settings)
        except (OSError, ValueError) as error:
            faults.append(_fault(name, path, error))
    return faults


def _check_mtf(settings: Settings) -> None:
    """Raises InputError for a file that RELION cannot read as an MTF (obs_model.cpp, getMtfImage)."""
    path = settings.export.mtf_path or ""
    if not os.path.isabs(path):
        raise InputError(f"give an absolute path; {_MTF}")
    if not {b"_rlnResolutionInversePixel", b"_rlnMtfValue"} <= set(read_bytes(path, _LARGEST_MTF).split()):
        raise InputError(_MTF)


def _check_template(settings: Settings) -> None:
    parsed_template(read_bytes(settings.import_.metadata_template or "", MOST_METADATA_BYTES))


_MTF = "give a STAR file with the columns rlnResolutionInversePixel and rlnMtfValue"
_LARGEST_MTF = 1 << 20
_KINDS: dict[str, Callable[[Settings], object]] = {
    "import.defects_path": lambda settings: check_defects(Path(settings.import_.defects_path or "")),
    "import.metadata_template": _check_template,
    "picking.templates_path": lambda settings: check_templates(settings.picking),
    "picking.weights_path": lambda settings: read_weights(Path(settings.picking.weights_path or "")),
    "export.mtf_path": _check_mtf,
}
"""Checks of files by the settings that name them; gains are checked with the movies that they are for."""


@lru_cache(maxsize=8)
def _hashed(path: str, size: int, mtime_ns: int, inode: int) -> str:
    """The content's hash, taken again where size, mtime or inode say that it is another file."""
    return content_hash(Path(path))
