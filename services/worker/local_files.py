"""What `warpcore process` knows of a file, and what is to be done with it: the decisions of a session, for one file."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from warpcore.bus.messages import Acquisition, AssignTask, Header
from warpcore.bus.messages.acquisition import said
from warpcore.bus.vocabulary import Purpose
from warpcore.services.readers.metadata.beside import metadata_beside
from warpcore.services.readers.metadata.header import file_header
from warpcore.services.session.allowed import folders_of
from warpcore.services.session.fingerprints import needed_steps, wanted_fingerprints
from warpcore.services.session.movie_record import MovieRecordFile, steps_without_files
from warpcore.services.session.named_files import named_paths
from warpcore.services.session.paths import movie_root
from warpcore.services.session.resolving import Resolved, for_fingerprints, resolved
from warpcore.services.session.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to process: `path` below the directory `data`, with slashes.

    `acquisition` is what is known of its recording; None: what its metadata say. `motion` is what another program has
    told of the motion, where the file is its average, as `MotionResult` holds it.
    """

    data: Path
    path: str
    acquisition: Acquisition | None = None
    motion: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The movie's name."""
        return movie_root(self.path)

    @property
    def absolute(self) -> Path:
        """Where it lies."""
        return self.data / self.path


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be done with a file, and what is known of it before; a task without steps to run is done already."""

    file: LocalFile
    task: AssignTask
    before: MovieRecordFile


def looked_at(file: LocalFile, record: MovieRecordFile | None, settings: Settings) -> MovieRecordFile:
    """What is known of a file before it is processed: its identity, header and metadata, and its stored results.

    Of a record of another file, with the same name, only the outputs count, since they are to be replaced.
    """
    try:
        identity = file.absolute.stat()
        size, mtime_ns = identity.st_size, identity.st_mtime_ns
    except OSError:
        size, mtime_ns = 0, 0  # loading will tell
    header, acquisition = file_header(file.absolute), file.acquisition or _told(file, settings)
    known = MovieRecordFile(
        name=file.name,
        path=file.path,
        size=size,
        mtime_ns=mtime_ns,
        fingerprints={},
        results={},
        outputs={} if record is None else record.outputs,
        header=None if header is None else header.to_body(),
        acquisition=None if acquisition is None else acquisition.to_body(),
    )
    if record is None or (record.path, record.size, record.mtime_ns) != (file.path, size, mtime_ns):
        return known
    return replace(known, fingerprints=record.fingerprints, results=record.results)


def plan_file(path: Path, settings: Settings, processing_directory: Path) -> Planned:
    """All steps of one file under its own name."""
    file = LocalFile(path.absolute().parent, path.name)
    return planned(file, looked_at(file, None, settings), settings, processing_directory.absolute(), "", resume=False)


def planned(
    file: LocalFile, before: MovieRecordFile, settings: Settings, processing: Path, references: str, *, resume: bool
) -> Planned:
    """The task for a file: all steps, or with `resume` those that are not done as wanted, or of which a file is gone.

    `references` are the identities of the files that settings name.
    """
    acquisition = said(Acquisition, before.acquisition)
    told, wanted = _wanted(before, settings, references)
    stored = whole_steps(before, processing) if resume else {}
    task = AssignTask(
        lease=0,
        purpose=Purpose.PROCESS,
        name=file.name,
        path=file.path,
        size=before.size,
        mtime_ns=before.mtime_ns,
        run=needed_steps(wanted, stored),
        wanted=wanted,
        settings=told.settings.to_dict(),
        results=(before.results if resume else {}) | ({} if file.motion is None else {"motion": file.motion}),
        data_directory=str(file.data),
        processing_directory=str(processing),
        stored=stored,
        sources=told.sources,
        metadata="" if acquisition is None else acquisition.source,
        # A person has named the movies and the settings' files, and may read them.
        references=folders_of(named_paths(settings).values()),
        follow_links=True,
    )
    return Planned(file, task, before)


def steps_of_record(record: MovieRecordFile, settings: Settings, processing: Path, references: str) -> list[str]:
    """The steps of a movie with results that these settings ask for again."""
    _, wanted = _wanted(record, settings, references)
    return needed_steps(wanted, whole_steps(record, processing))


def resolved_for(record: MovieRecordFile, settings: Settings) -> Resolved:
    """What a movie is processed with under these settings."""
    return resolved(settings, said(Header, record.header), said(Acquisition, record.acquisition))


def _wanted(record: MovieRecordFile, settings: Settings, references: str) -> tuple[Resolved, dict[str, str]]:
    """What a movie is processed with, and the fingerprints that follow."""
    told = resolved_for(record, settings)
    is_eer = record.path.lower().endswith(".eer")
    return told, wanted_fingerprints(for_fingerprints(told, is_eer=is_eer), record.size, record.mtime_ns, references)


def whole_steps(record: MovieRecordFile, processing: Path) -> dict[str, str]:
    """The fingerprints of the steps of which all files are there."""
    gone = steps_without_files(record.outputs, processing)
    return {step: made_with for step, made_with in record.fingerprints.items() if step not in gone}


def _told(file: LocalFile, settings: Settings) -> Acquisition | None:
    template = settings.import_.metadata_template
    read = metadata_beside(file.absolute, Path(template) if template else None)
    if read.fault:
        log.warning("%s is of no use: %s", file.absolute.parent / read.path, read.fault)
    return read.acquisition
