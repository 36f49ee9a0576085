"""One file a movie that says what its outputs are, so that a lost state can be made anew from them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

FOLDER = "records"
"""Relative to the processing directory."""


@dataclass(frozen=True, slots=True)
class MovieRecordFile:
    """What is known of a movie with outputs: its file, and by step fingerprints, summaries, paths of outputs."""

    name: str
    path: str
    size: int
    mtime_ns: int
    fingerprints: dict[str, str]
    results: dict[str, Any]
    outputs: dict[str, list[str]]

    @property
    def text(self) -> str:
        """What its file holds."""
        return msgspec.json.encode(self, order="deterministic").decode()


def record_path(name: str) -> str:
    """Where a movie's record lies, relative to the processing directory."""
    return f"{FOLDER}/{name}.json"


def read_records(processing: Path) -> Iterator[tuple[Path, MovieRecordFile | None]]:
    """All records with their paths, in the order of these; None where one cannot be read."""
    for path in sorted((processing / FOLDER).rglob("*.json")):
        record = None
        with contextlib.suppress(OSError, ValueError, TypeError):
            record = _checked(MovieRecordFile(**json.loads(path.read_text(encoding="utf-8"))))
        yield path, record


def _checked(record: MovieRecordFile) -> MovieRecordFile:
    """The record itself. Raises TypeError where a field is not of its type, as anybody may have changed the file."""
    plain = [record.fingerprints, record.results, record.outputs]
    if not (isinstance(record.name, str) and isinstance(record.path, str) and all(isinstance(p, dict) for p in plain)):
        raise TypeError("not a movie's record")
    if not (isinstance(record.size, int) and isinstance(record.mtime_ns, int)):
        raise TypeError("no identity of a file")
    if not all(isinstance(made, str) for made in record.fingerprints.values()):
        raise TypeError("no fingerprints")
    if not all(isinstance(f, list) and all(isinstance(p, str) for p in f) for f in record.outputs.values()):
        raise TypeError("no paths of outputs")
    return record
