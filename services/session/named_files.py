"""Files that settings name: gain, defects, templates, weights. They are no movies, wherever they lie."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warpcore.services.session.settings import Settings, described
from warpcore.services.steps.fields import Identity, told


@dataclass(frozen=True, slots=True)
class UsedFile:
    """A file that a setting names and a step reads. `identity`: how it is told from another one."""

    name: str
    path: str
    identity: Identity


def file_settings() -> list[str]:
    """Dotted names of all settings that name files."""
    return [dotted for dotted, field in described() if told(field, "file")]


def used_files(settings: Settings) -> list[UsedFile]:
    """The files that are read under these settings: of sections that are on, and where `used` of the setting holds."""
    found = []
    for dotted, field in described():
        identity = told(field, "file")
        section = settings.section(dotted.partition(".")[0])
        value = getattr(section, dotted.partition(".")[2])
        other, _, wanted = (told(field, "used") or "").partition("=")
        off = not getattr(section, "enabled", True) or (other and getattr(section, other) not in wanted.split("|"))
        if identity and value and not off:
            found.append(UsedFile(dotted, value, identity))
    return found


def named_files(values: Mapping[str, Any]) -> tuple[Path, ...]:
    """All files that these settings name, used or not. `values` are nested by section, as settings travel."""
    found = []
    for dotted in file_settings():
        section, _, name = dotted.partition(".")
        held = values.get(section)
        value = held.get(name) if isinstance(held, Mapping) else None
        if value and isinstance(value, str):
            found.append(Path(value))
    return tuple(found)


class NamedFiles:
    """Tells these files from others, also through links: by inode, and by real path. Asks the file system when made."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._inodes: set[tuple[int, int]] = set()
        self._real: set[str] = set()
        for path in paths:
            self._real.add(os.path.realpath(path))
            try:
                info = os.stat(path)
            except (OSError, ValueError):
                continue
            self._inodes.add((info.st_dev, info.st_ino))
        self._names = {os.path.basename(path) for path in self._real}

    def hold(self, path: Path | str, info: os.stat_result) -> bool:
        """Whether the file at `path`, whose status is `info`, is one of them."""
        if (info.st_dev, info.st_ino) in self._inodes:
            return True
        return os.path.basename(path) in self._names and os.path.realpath(path) in self._real

    def have(self, path: Path) -> bool:
        """As `hold`, asking the file system about `path`; False where nothing is there."""
        try:
            return self.hold(path, os.stat(path))
        except OSError:
            return False
