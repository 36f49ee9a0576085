"""What records and settings tell of a whole session, without a scheduler: its movies, and ranges of their values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from warpcore.services.session.errors import InputError
from warpcore.services.session.filtering import filter_reasons
from warpcore.services.session.migrations import load_settings_file
from warpcore.services.session.movie_record import MovieRecordFile, read_records
from warpcore.services.session.resolving import ASSUMED
from warpcore.services.session.settings import Settings
from warpcore.services.session.tables import SETTINGS
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.step import INPUT

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Processed:
    """A processing directory with its settings; `movies` are those with results, in the order of their files' times."""

    processing: Path
    settings: Settings
    movies: list[MovieRecordFile]

    @property
    def good(self) -> list[MovieRecordFile]:
        """The movies that pass the filter."""
        return [one for one in self.movies if not filter_reasons(one.results, self.settings.filter)]

    def values(self, column: str, movies: list[MovieRecordFile] | None = None) -> list[Any]:
        """What was measured, of the good movies or of others."""
        chosen = self.good if movies is None else movies
        found = (CHAIN.column[column].value(one.results) for one in chosen)
        return [value for value in found if value is not None]

    def is_assumed(self, setting: str) -> bool:
        """Whether most movies were processed with a value of this setting that nobody has told."""
        sources = [((one.results.get(INPUT) or {}).get("sources") or {}).get(setting) for one in self.movies]
        return most_common(sources) == ASSUMED

    def told(self, name: str) -> Any:
        """What most movies' metadata tell under this name of `Acquisition`; None where none does."""
        return most_common([(one.acquisition or {}).get(name) for one in self.movies])


def most_common(values: list[T | None]) -> T | None:
    """The value that occurs most; None where there is none."""
    counted = Counter(value for value in values if value is not None)
    return counted.most_common(1)[0][0] if counted else None


def read_processed(processing: Path) -> Processed:
    """What a session or `warpcore process` has left there. Raises InputError, SettingsError and OSError."""
    movies = [record for _, record in read_records(processing) if record is not None]
    if not movies:
        raise InputError(f"{processing}: no records of movies lie there; give the processing directory of a session")
    movies.sort(key=lambda one: (one.mtime_ns, one.path))
    return Processed(processing, load_settings_file(processing / SETTINGS), movies)
