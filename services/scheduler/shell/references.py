"""Files that settings name: whether they exist, which ones exactly, and whether they can be used."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from warpcore.services.readers.defects import read_defects
from warpcore.services.readers.gain import read_gain
from warpcore.services.readers.movies import read_header
from warpcore.services.readers.picking_files import check_templates, check_weights, content_hash
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings, PickingSettings, Settings

_NAMES = ("import.gain_path", "import.defects_path", "picking.templates_path", "picking.weights_path")


def check_references(settings: Settings) -> tuple[str, list[dict[str, Any]]]:
    """Identities of the files that matter under these settings (part of the fingerprints) and what is wrong with them.

    Gain and defects files count by size and mtime as `gain_path:…`, templates and weights by what they hold as
    `picking.templates_path:…`, where the chosen method uses them.
    """
    identities, faults = [], []
    for dotted in _NAMES:
        section, name = dotted.split(".")
        given = getattr(settings.import_ if section == "import" else settings.picking, name)
        if not given or (section == "picking" and name not in _used(settings.picking)):
            continue
        try:
            found = Path(given).stat()
            if not Path(given).is_file():
                raise OSError(0, "is not a file")
            if section == "import":
                identities.append(f"{name}:{found.st_size}:{found.st_mtime_ns}")
            else:
                identities.append(f"{dotted}:{_hashed(given, found.st_size, found.st_mtime_ns, found.st_ino)}")
        except (OSError, ValueError) as error:
            problem = (
                f"cannot be read: {getattr(error, 'strerror', None) or error}; give a file that all workers can read"
            )
            faults.append({"name": dotted, "value": given, "problem": problem})
    return " ".join(identities), faults


def with_known(found: str, known: str, faults: Iterable[dict[str, Any]]) -> str:
    """Identities found now, and those known from before of files that cannot be read now, in the usual order."""
    order = [f"{name.removeprefix('import.')}:" for name in _NAMES]
    gone = tuple(f"{fault['name'].removeprefix('import.')}:" for fault in faults)
    every = [*found.split(), *(one for one in known.split() if one.startswith(gone))]
    return " ".join(sorted(set(every), key=lambda one: [one.startswith(name) for name in order].index(True)))


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


def check_picking(settings: PickingSettings) -> list[dict[str, Any]]:
    """What is wrong with the files that the chosen picking method uses."""
    faults = []
    for name in _used(settings):
        given = getattr(settings, name)
        try:
            (check_templates if name == "templates_path" else check_weights)(settings)
        except (InputError, OSError) as error:
            problem = str(error).removeprefix(f"{given}: ")
            faults.append({"name": f"picking.{name}", "value": given, "problem": problem})
    return faults


def _used(settings: PickingSettings) -> list[str]:
    """Names of the files that are given and that the chosen method reads."""
    name = {"template": "templates_path", "network": "weights_path"}.get(settings.method)
    return [name] if settings.enabled and name is not None and getattr(settings, name) else []


@lru_cache(maxsize=8)
def _hashed(path: str, size: int, mtime_ns: int, inode: int) -> str:
    """The content's hash, taken again where size, mtime or inode say that it is another file."""
    return content_hash(Path(path))
