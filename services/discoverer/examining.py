"""A look into one file: whether it is whole, and whether it is a movie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from warpcore.bus.messages import Header
from warpcore.services.discoverer.judging import NotTaken, why_not_taken
from warpcore.services.discoverer.listing import Identity, Watched, look
from warpcore.services.readers.containers import ContainerError, check_container
from warpcore.services.readers.metadata.beside import NO_METADATA, ReadMetadata, metadata_of
from warpcore.services.readers.metadata.header import file_header
from warpcore.services.session.named_files import NamedFiles
from warpcore.services.session.opening import RefusedFileError, within


@dataclass(frozen=True, slots=True)
class Examined:
    """What a look into a file found.

    `identity` is None where the file is gone. `fault` says what is wrong with its container, `unreadable` why it cannot
    be read, `no_movie` what it is instead of a movie. `named`: a setting names it. `header` is what a whole file says
    of itself, None where only a worker can tell what is wrong with it; `metadata` is what was read beside it.
    """

    identity: Identity | None
    fault: str = ""
    unreadable: str = ""
    no_movie: NotTaken | None = None
    named: bool = False
    header: Header | None = None
    metadata: ReadMetadata = NO_METADATA


def examine(directory: Path, path: str, watched: Watched, metadata: str = "") -> Examined:
    """Look into one file, and into the file of `metadata` that is its own.

    Opening it also makes a network file system tell its true size.
    """
    allowed = watched.allowed(directory)
    with within(allowed):
        return _examined(directory, path, watched, metadata, lambda: look(directory, path, allowed))


def _examined(
    directory: Path, path: str, watched: Watched, metadata: str, identity: Callable[[], Identity | None]
) -> Examined:
    full = directory / path
    if NamedFiles(watched.named).have(full):
        return Examined(identity(), named=True)
    try:
        contents = check_container(full)
    except ContainerError as error:
        return Examined(identity(), fault=error.reason)
    except RefusedFileError as error:
        return Examined(None, unreadable=error.why)
    except FileNotFoundError:
        return Examined(None)
    except OSError as error:
        return Examined(None, unreadable=error.strerror or str(error))
    header = file_header(full)
    if no_movie := why_not_taken(directory, path, contents, header, watched):
        return Examined(identity(), no_movie=no_movie)
    told = metadata_of(directory, path, metadata, watched.template)
    return Examined(identity(), header=header, metadata=told)
