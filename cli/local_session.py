"""A processing directory that `warpcore process` works in: its data directory, its records, and the lists of all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warpcore.bus.vocabulary import MovieStatus
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.bus.messages import Movie
    from warpcore.services.session.movie_record import MovieRecordFile
    from warpcore.services.session.settings import Settings
    from warpcore.services.worker.local import FileOutcome
    from warpcore.services.worker.local_files import Planned

LISTS_EVERY_S = 15.0


def plain_path(path: Path) -> Path:
    """An absolute path without `..`, so that what lies below a directory can be told by its name; links stay."""
    return Path(os.path.abspath(path))


def data_directory(files: Sequence[Path], given: Path | None, processing: Path) -> Path:
    """The directory below which all files lie: the one that is given, that of earlier runs, else the deepest that fits.

    Names and outputs follow from it, so runs in one processing directory must agree on it. Raises CliError.
    """
    paths = [plain_path(path) for path in files]
    earlier = _earlier_data(processing)
    if given is not None or earlier is not None:
        data = plain_path(given or earlier or Path())
        if given is not None and earlier is not None and data != earlier:
            raise CliError(
                f"{processing} has results of movies below {earlier}, not {data}; give another --processing directory"
            )
        outside = next((path for path in paths if not path.is_relative_to(data)), None)
        if outside is not None:
            raise CliError(f"{outside} is not below {data}, as the movies of {processing} must be")
        return data
    return Path(os.path.commonpath([path.parent for path in paths]))


def _earlier_data(processing: Path) -> Path | None:
    from warpcore.services.session.migrations import load_settings_file
    from warpcore.services.session.settings import SettingsError
    from warpcore.services.session.tables import SETTINGS

    try:
        data = load_settings_file(processing / SETTINGS).import_.data
    except (OSError, SettingsError):
        return None
    return Path(data) if data else None


def session_fault(processing: Path) -> str:
    """Why nothing but a session may write into this directory, "" where there was none."""
    from warpcore.services.scheduler.shell.lock import state_file

    if not state_file(processing, None).exists():
        return ""
    return f"{processing} belongs to a session, which would not know of other results; give another with --processing"


def records_of(processing: Path) -> dict[str, MovieRecordFile]:
    """The records of the movies with results, by name."""
    from warpcore.services.session.movie_record import read_records

    return {record.name: record for _, record in read_records(processing) if record is not None}


class LocalSession:
    """The lists of a processing directory: of the files of this run, and of all movies with results of earlier runs.

    Movies are in the order of their files' times, as in a state that is made anew from records, so that the lists do
    not depend on when each was processed.
    """

    def __init__(
        self,
        data: Path,
        processing: Path,
        settings: Settings,
        plans: Sequence[Planned],
        records: Iterable[MovieRecordFile],
        references: str,
    ) -> None:
        from warpcore.services.tracker.lists import Lists

        self._settings, self._processing, self._references = settings, processing, references
        known = {record.name: record for record in records} | {plan.file.name: plan.before for plan in plans}
        ordered = sorted(known.values(), key=lambda one: (one.mtime_ns, one.path))
        self._numbers = {record.name: number for number, record in enumerate(ordered, 1)}
        told = {plan.file.name: plan.file.motion for plan in plans if plan.file.motion is not None}
        self._groups = self._grouped(ordered, told)
        movies = [self._movie(record) for record in ordered]
        self._lists = Lists(data, processing, settings, movies, time.monotonic(), LISTS_EVERY_S)

    def take(self, outcome: FileOutcome, plan: Planned) -> FileOutcome:
        """Take in what became of a file; returns that as the filter judges it."""
        movie = self._movie(outcome.record or plan.before, outcome)
        self._lists.take(movie, time.monotonic())
        return replace(outcome, status=movie.status, filter_reasons=tuple(movie.filter_reasons))

    def finish(self) -> None:
        """Write the lists. Raises OSError."""
        self._lists.finish(time.monotonic())

    def _movie(self, record: MovieRecordFile, outcome: FileOutcome | None = None) -> Movie:
        """A movie as the tracker knows it."""
        from warpcore.bus.messages import Movie
        from warpcore.services.session.learning import without_evidence

        status, reasons = self._judged(record, outcome)
        return Movie(
            id=self._numbers[record.name],
            name=record.name,
            path=record.path,
            size=record.size,
            mtime_ns=record.mtime_ns,
            status=status,
            failure=None if outcome is None else outcome.failure,
            filter_reasons=reasons,
            results=without_evidence(self._shown(record)),
            fingerprints=record.fingerprints,
            optics_group=self._groups[record.name],
        )

    def _grouped(self, records: Sequence[MovieRecordFile], told: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
        """The optics group of each movie, by name: as in a session, or that of the STAR file that it was taken from.

        `told` is what that file says, by movie.
        """
        from warpcore.bus.messages import Acquisition, Header
        from warpcore.bus.messages.acquisition import said
        from warpcore.services.scheduler.core.grouping import grouped_as
        from warpcore.services.session.optics_groups import OpticsGroups
        from warpcore.services.worker.local_files import resolved_for

        groups = OpticsGroups()
        for record in records:
            settings = resolved_for(record, self._settings).settings
            header, acquisition = said(Header, record.header), said(Acquisition, record.acquisition)
            longest_px = None if header is None else max(header.height, header.width)
            motion = told.get(record.name) or record.results.get("motion") or {}
            founded = int(motion.get("optics_group") or 0)
            place = grouped_as(record.path, settings, acquisition, longest_px)
            groups.put(self._numbers[record.name], place, founded)
        groups.settle()
        return {record.name: groups.group(self._numbers[record.name]) for record in records}

    def _shown(self, record: MovieRecordFile) -> dict[str, Any]:
        """The results without those of steps that are switched off, which stay for when they are on again."""
        off = {step for step in self._settings.steps if not self._settings.runs(step)}
        return {step: summary for step, summary in record.results.items() if step not in off}

    def _judged(self, record: MovieRecordFile, outcome: FileOutcome | None) -> tuple[MovieStatus, list[str]]:
        from warpcore.services.session.filtering import filter_reasons
        from warpcore.services.worker.local_files import steps_of_record

        if outcome is not None and outcome.failure is not None:
            return MovieStatus.FAILED, []
        if not record.fingerprints:
            return MovieStatus.UNPROCESSED, []
        if outcome is None and steps_of_record(record, self._settings, self._processing, self._references):
            return MovieStatus.OUTDATED, []
        reasons = filter_reasons(self._shown(record), self._settings.filter)
        return (MovieStatus.FILTERED_OUT if reasons else MovieStatus.PROCESSED), reasons
