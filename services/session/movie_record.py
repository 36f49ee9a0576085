"""One file a movie that says what its outputs are, so that a lost state can be made anew from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from warpcore.services.session.allowed import is_output, results_below
from warpcore.services.session.opening import read_bytes, within
from warpcore.services.session.paths import is_temporary, movie_root
from warpcore.services.steps.step import RECORD

FOLDER = RECORD.folder
"""Relative to the processing directory."""
_LARGEST = 1 << 22
"""Bytes; what a worker reports of a movie has a twentieth of that."""


@dataclass(frozen=True, slots=True)
class MovieRecordFile:
    """What is known of a movie with outputs: its file, and by step fingerprints, summaries, paths of outputs.

    `header` and `acquisition` are what the file and its metadata say, as on the wire; None where nobody has looked.
    """

    name: str
    path: str
    size: int
    mtime_ns: int
    fingerprints: dict[str, str]
    results: dict[str, dict[str, Any]]
    outputs: dict[str, list[str]]
    header: dict[str, Any] | None = None
    acquisition: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """What its file holds."""
        return msgspec.json.encode(self, order="deterministic").decode()


def record_path(name: str) -> str:
    """Where a movie's record lies, relative to the processing directory."""
    return RECORD.path(name)


def read_records(processing: Path) -> Iterator[tuple[str, MovieRecordFile | None]]:
    """All records with their paths below `processing`, in the order of these; None where one cannot be used."""
    for path in sorted((processing / FOLDER).rglob("*.json")):
        if not is_temporary(path.name):
            relative = path.relative_to(processing).as_posix()
            yield relative, _read(processing, relative)


def _read(processing: Path, relative: str) -> MovieRecordFile | None:
    """The record, if it is one, and that of this path: anybody may have changed the file."""
    try:
        with within(results_below(processing)):
            content = read_bytes(processing / relative, _LARGEST)
        record = msgspec.json.decode(content, type=MovieRecordFile)
        is_its_own = record_path(record.name) == relative and movie_root(record.path) == record.name
    except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors, and those of text and of paths
        return None
    return record if is_its_own and all(is_output(file) for made in record.outputs.values() for file in made) else None


def steps_without_files(outputs: Mapping[str, Iterable[str]], processing: Path) -> set[str]:
    """The steps of which a file is gone, by the paths of outputs by step. Raises OSError where that cannot be told."""
    return {step for step, files in outputs.items() if not all((processing / file).exists() for file in files)}
