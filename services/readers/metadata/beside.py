"""Reads a movie's metadata: the file that is its own, else what its header and its path say."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from warpcore.bus.messages.acquisition import Acquisition
from warpcore.services.readers.metadata.eer import read_eer_metadata
from warpcore.services.readers.metadata.names import chosen_metadata, metadata_candidates
from warpcore.services.readers.metadata.reading import read_metadata, with_place
from warpcore.services.readers.metadata.template import Template, parsed_template
from warpcore.services.readers.metadata.values import MOST_METADATA_BYTES, MetadataError
from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import RefusedFileError, open_file


@dataclass(frozen=True, slots=True)
class ReadMetadata:
    """What was read of a movie's metadata; `acquisition` is None where nothing is told.

    `path` is the file of metadata that was looked into, "" without one. `fault` says why it cannot be read, or not yet;
    `is_own`: it is whole, and this movie's.
    """

    acquisition: Acquisition | None = None
    path: str = ""
    fault: str = ""
    is_own: bool = False


NO_METADATA = ReadMetadata()


def metadata_of(directory: Path, movie: str, metadata: str, template: Path | None = None) -> ReadMetadata:
    """What the file `metadata` says of a movie (both relative to the data directory), else the movie itself.

    JSON is read by the `template` that this file holds.
    """
    fault = ""
    if metadata:
        try:
            data, mtime_ns = _content(directory / metadata)
            by = _template(template) if metadata.lower().endswith(".json") else None
            told = read_metadata(data, metadata, movie, by)
        except MetadataError as error:
            fault = str(error)
        except RefusedFileError as error:
            fault = error.why
        except OSError as error:
            fault = error.strerror or str(error)
        else:
            if told is not None:
                return ReadMetadata(replace(told, source_mtime_ns=mtime_ns), metadata, is_own=True)
    return ReadMetadata(_told_by_itself(directory, movie), metadata, fault)


def metadata_beside(movie: Path, template: Path | None = None) -> ReadMetadata:
    """What the file of metadata in a movie's own folder says of it, else the movie itself."""
    folder = movie.parent
    # Path.is_file raises for a name that is too long with `.mdoc` behind it.
    there = {name: (name,) for name in metadata_candidates(movie.name) if os.path.isfile(folder / name)}
    return metadata_of(folder, movie.name, chosen_metadata(movie.name, there) or "", template)


def _template(path: Path | None) -> Template | None:
    """The user's template. Raises MetadataError, which names the file."""
    if path is None:
        return None
    try:
        return parsed_template(_content(path)[0])
    except (MetadataError, RefusedFileError, OSError) as error:
        raise MetadataError(f"import.metadata_template {path}: {_why(error)}") from None


def _why(error: MetadataError | RefusedFileError | OSError) -> str:
    """What is wrong with a file, without its name."""
    if isinstance(error, RefusedFileError):
        return error.why
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _content(path: Path) -> tuple[bytes, int]:
    """The bytes of a file, no more than one of metadata may have, and its mtime before. Raises OSError."""
    with open_file(path) as file:
        found = os.fstat(file.fileno())
        return file.read(min(found.st_size, MOST_METADATA_BYTES) + 1), found.st_mtime_ns


def _told_by_itself(directory: Path, movie: str) -> Acquisition | None:
    """What the header of an EER, and the path of any movie, say."""
    told = None
    if movie.lower().endswith(".eer"):
        try:
            told = read_eer_metadata(directory / movie)
        except (InputError, OSError):
            told = None  # of the file's own faults its worker tells
    placed = with_place(told or Acquisition(), movie)
    return None if placed == Acquisition() else placed
