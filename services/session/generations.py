"""Outputs of earlier settings, kept so that going back to those settings runs nothing.

Before a task replaces a movie's outputs, the old ones are hard-linked into `.warpcore/kept/<root>.kept/<key>/`, with a
manifest that says what they are. Unchanged files share their disk space. The newest few generations of each movie stay.
"""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warpcore.services.session.paths import inside, write_text_whole

KEPT_GENERATIONS = 3
_FOLDER = ".warpcore/kept"
_MANIFEST = "generation.json"


@dataclass(frozen=True)
class Generation:
    """One complete set of a movie's results, by step: fingerprints, summaries, output files (relative paths)."""

    fingerprints: dict[str, str]
    results: dict[str, Any]
    outputs: dict[str, list[str]]

    @property
    def key(self) -> str:
        """Names the settings that the generation was made with."""
        return generation_key(self.fingerprints)

    @property
    def files(self) -> list[str]:
        """All files, each once."""
        return sorted({path for paths in self.outputs.values() for path in paths})


def generation_key(fingerprints: dict[str, str]) -> str:
    """A name for a set of fingerprints."""
    return hashlib.sha256(json.dumps(fingerprints, sort_keys=True).encode()).hexdigest()[:16]


def keep(processing: Path, root: str, generation: Generation) -> list[str]:
    """Keep a movie's present outputs. Returns the keys of all generations that are kept now, newest last.

    A generation with a missing file is not kept: it could not be restored.
    """
    home = _home(processing, root)
    folder = home / generation.key
    sources = [inside(processing, relative) for relative in generation.files]
    if sources and all(source.is_file() for source in sources):
        shutil.rmtree(folder, ignore_errors=True)
        for number, source in enumerate(sources):
            folder.mkdir(parents=True, exist_ok=True)
            _link(source, folder / str(number))
        manifest = {"fingerprints": generation.fingerprints, "results": generation.results}
        write_text_whole(folder / _MANIFEST, json.dumps({**manifest, "outputs": generation.outputs}))
    return _prune(home)


def kept(processing: Path, root: str, key: str) -> Generation | None:
    """A kept generation; None where it is missing or not whole."""
    folder = _home(processing, root) / key
    try:
        raw = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        generation = Generation(raw["fingerprints"], raw["results"], raw["outputs"])
    except (OSError, ValueError, KeyError):
        return None
    whole = all((folder / str(number)).is_file() for number in range(len(generation.files)))
    return generation if whole and generation.key == key else None


def restore(processing: Path, root: str, key: str, present: Generation) -> tuple[Generation | None, list[str]]:
    """Put a kept generation's files back in place of the present ones, which are kept in turn.

    Returns the generation and the keys that are kept now. The generation is None where it cannot be restored: then no
    output has changed.
    """
    generation = kept(processing, root, key)
    if generation is not None:
        # The newest stay: the one that is wanted must not go to make room for the present one.
        os.utime(_home(processing, root) / key)
    keys = keep(processing, root, present)
    if generation is None or key not in keys:
        return None, keys
    folder = _home(processing, root) / key
    for number, relative in enumerate(generation.files):
        _put_back(folder / str(number), inside(processing, relative))
    for stale in set(present.files) - set(generation.files):
        inside(processing, stale).unlink(missing_ok=True)
    _sweep(processing, [present, *(one for key in keys if (one := kept(processing, root, key)))])
    return generation, keys


def link_outputs(origin: Path, target: Path, outputs: dict[str, list[str]]) -> None:
    """Put a movie's outputs into another processing directory too, as links; those that are gone are left out."""
    for relative in sorted({path for paths in outputs.values() for path in paths}):
        source = inside(origin, relative)
        if source.is_file():
            _put_back(source, inside(target, relative))


def same_content(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes; False where one is missing."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _home(processing: Path, root: str) -> Path:
    return inside(processing, f"{_FOLDER}/{root}.kept")


def _put_back(source: Path, final: Path) -> None:
    """Put a kept file in place of `final`; readers see the old file or the new one.

    Where both are links to one inode there is nothing to do, and a rename would leave its source behind.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists() and final.samefile(source):
        return
    temporary = _temporary(final)
    temporary.unlink(missing_ok=True)
    try:
        _link(source, temporary)
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(final: Path) -> Path:
    """Where a kept file waits for its rename."""
    return final.with_name(f".{final.name}.restored")


def _sweep(processing: Path, generations: list[Generation]) -> None:
    """Delete what a killed process, or an earlier version, has left beside a movie's outputs."""
    for relative in {path for generation in generations for path in generation.files}:
        _temporary(inside(processing, relative)).unlink(missing_ok=True)


def _link(source: Path, target: Path) -> None:
    """Hard-link, or copy where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _prune(home: Path) -> list[str]:
    """Remove the oldest generations beyond the number kept."""
    if not home.is_dir():
        return []
    found = []
    for folder in home.iterdir():
        with contextlib.suppress(OSError):
            found.append((folder.stat().st_mtime_ns, folder.name))
    found.sort()
    for _, name in found[:-KEPT_GENERATIONS]:
        shutil.rmtree(home / name, ignore_errors=True)
    return [name for _, name in found[-KEPT_GENERATIONS:]]
