"""Files that settings name: gain, defects, templates, weights. They are no movies, wherever they lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
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


def named_paths(settings: Settings) -> dict[str, str]:
    """The paths of files that these settings name, used or not, by dotted name."""
    found = {}
    for dotted, field in described():
        section, _, name = dotted.partition(".")
        value = getattr(settings.section(section), name)
        if value and (told(field, "file") or told(field, "is_path")):
            found[dotted] = value
    return found


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


def with_files(settings: Settings, seen: Callable[[str], str]) -> Settings:
    """These settings with each file that they name at the path where it is `seen`."""
    sections: dict[str, dict[str, str]] = {}
    for dotted in file_settings():
        section, _, name = dotted.partition(".")
        if (path := getattr(settings.section(section), name)) is not None:
            sections.setdefault(section, {})[name] = seen(path)
    changed = {name: settings.section(name).model_copy(update=paths) for name, paths in sections.items()}
    return settings.model_copy(update={settings.attribute(name): section for name, section in changed.items()})


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
