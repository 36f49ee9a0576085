"""Decides which files are due, and makes their texts. No IO; time is passed in."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from warpcore.bus.envelope import Envelope, WireError
from warpcore.bus.follower import Event, FollowerItem, Reset
from warpcore.bus.messages import ExportEvent, Movie, MovieEvent, SettingsEvent
from warpcore.bus.vocabulary import LEASED, MovieStatus
from warpcore.services.formats import star_files
from warpcore.services.session.settings import Settings, SettingsError, parse_settings
from warpcore.services.session.tables import (
    AUTOPICK,
    CORRECTED,
    CTF,
    FAILED_ITEMS,
    MOVIES,
    PARTICLES,
    PROCESSED_ITEMS,
    SETTINGS,
    STAR_FILES,
    TABLES,
)
from warpcore.services.tracker import documents
from warpcore.services.tracker.documents import Optics, Rows

log = logging.getLogger("warpcore.tracker")

READY_SHARE = 0.8
"""Writing begins after this share of the longest delay, so that it ends within it."""

PARTICLES_SHARE = 0.05
"""particles.star may hold millions of rows: its writing takes at most this share of the time."""


@dataclass(slots=True)
class _Entry:
    """A movie and its entries in the files: one line of JSON, and STAR rows for one optics group number."""

    movie: Movie
    item: str
    optics: Optics | None
    group: int = 0
    rows: Rows | None = None


@dataclass(slots=True)
class TrackerState:
    """Feed it what the follower returns; write what `due` names; say `begun`, then `written` or `failed`.

    A change waits `debounce_s` for others, and never longer than `max_delay_s` in all.
    """

    processing_directory: str
    debounce_s: float = 1.0
    max_delay_s: float = 10.0
    data_directory: str | None = None
    """The data directory. The shell asks for it after each reset; movies.star waits for it."""
    settings: Settings = field(default_factory=Settings)
    selections: dict[str, tuple[bool, bool | None]] = field(default_factory=dict)
    """Selection flags to write into XML, by movie. The shell removes those that it has written."""
    collecting: set[str] = field(default_factory=set)
    """Export jobs that wait for their particles.star. The shell removes those that it has told the scheduler."""
    resets: int = 0
    _entries: dict[int, _Entry] = field(default_factory=dict)
    _dirty: set[str] = field(default_factory=set)
    _first_change: float = 0.0
    _last_change: float = 0.0
    _not_before: float = 0.0
    _particles_not_before: float = 0.0

    def apply(self, item: FollowerItem, now: float) -> None:
        """Take in one item of the follower, at monotonic time `now` (seconds)."""
        if isinstance(item, Reset):
            self._reset(item, now)
        elif isinstance(item, Event) and self.resets:
            self._event(item.envelope, now)

    def set_data_directory(self, path: str, now: float) -> None:
        """Take in the data directory that the scheduler names."""
        if path != self.data_directory:
            self.data_directory = path
            for entry in self._entries.values():
                entry.group = 0
            self._touch(STAR_FILES, now)

    def due(self, now: float) -> list[str]:
        """The files to write now."""
        if not self._dirty or now < self._not_before:
            return []
        quiet = now - self._last_change >= self.debounce_s
        late = now - self._first_change >= READY_SHARE * self.max_delay_s
        if not (quiet or late):
            return []
        return [name for name in TABLES if name in self._dirty and self._is_ready(name, now)]

    def wait_s(self, now: float) -> float:
        """Seconds until the next file is due, at most half a second."""
        if self.selections or self.collecting:
            return 0.01
        if not self._dirty:
            return 0.5
        quiet, late = self._last_change + self.debounce_s, self._first_change + READY_SHARE * self.max_delay_s
        at = max(min(quiet, late), self._not_before)
        if not any(self._is_ready(name, now) for name in self._dirty):
            at = max(at, self._particles_not_before)
        return min(0.5, max(0.01, at - now))

    def begun(self, name: str) -> None:
        """A due file is being written as it should be now; a change from here on makes it due again."""
        self._dirty.discard(name)

    def written(self, name: str, now: float, took_s: float = 0.0) -> None:
        """A file has been written."""
        if name == PARTICLES:
            self._particles_not_before = now + took_s / PARTICLES_SHARE

    def failed(self, name: str, now: float, pause_s: float) -> None:
        """Writing a file failed: it is tried again after a pause."""
        self._dirty.add(name)
        self._not_before = now + pause_s

    def changed(self, names: Iterable[str], now: float) -> None:
        """Files are no longer as they were written: they are due again."""
        self._touch(names, now)

    def text(self, name: str) -> str:
        """The whole text of one of the files, except particles.star."""
        entries = self._entries.values()
        if name == PROCESSED_ITEMS:
            return _json_array(entry.item for entry in entries if entry.movie.status != MovieStatus.FAILED)
        if name == FAILED_ITEMS:
            return _json_array(entry.item for entry in entries if entry.movie.status == MovieStatus.FAILED)
        if name == SETTINGS:
            return json.dumps(self.settings.to_dict(), indent=2, ensure_ascii=False) + "\n"
        made = self._rows()
        used = {entry.optics: entry.group for entry in self._entries.values() if entry.optics is not None}
        groups = [optics.group(number) for optics, number in used.items()]
        return _STAR_TEXTS[name](groups, made)

    def particle_files(self) -> list[str]:
        """The files whose rows make up particles.star, in order; none where particles are not exported."""
        if not self.settings.export.particles:
            return []
        return [made.particles for made in self._rows() if made.particles is not None]

    def _reset(self, reset: Reset, now: float) -> None:
        self.resets += 1
        self._set_settings(reset.settings)
        self._entries = {}
        self.selections = {}
        self.collecting = set()
        for movie in sorted(reset.movies, key=lambda movie: movie.id):
            self._entries[movie.id] = self._entry(movie)
            self._select(movie)
        self._touch((name for name in TABLES if name != PARTICLES), now)
        if self.settings.export.particles:
            self._touch([PARTICLES], now)

    def _event(self, envelope: Envelope, now: float) -> None:
        try:
            if envelope.type.startswith("movie."):
                self._movie(MovieEvent.from_body(envelope.body).movie, now)
            elif envelope.type == "settings.changed":
                self._settings_changed(SettingsEvent.from_body(envelope.body), now)
            elif envelope.type == "export.collecting":
                self.collecting.add(ExportEvent.from_body(envelope.body).job.job)
            elif envelope.type == "export.done":
                self.collecting.discard(ExportEvent.from_body(envelope.body).job.job)
        except WireError as error:
            log.warning("an event %s cannot be read and is passed over: %s", envelope.type, error)

    def _movie(self, movie: Movie, now: float) -> None:
        """Take in a movie's new state. Only files whose entry of it changes become due."""
        old, new = self._entries.get(movie.id), self._entry(movie)
        in_order = old is not None or not self._entries or movie.id > next(reversed(self._entries))
        self._entries[movie.id] = new
        if not in_order:
            self._entries = dict(sorted(self._entries.items()))
        self._select(movie)
        was_failed, is_failed = (
            old is not None and old.movie.status == MovieStatus.FAILED,
            movie.status == MovieStatus.FAILED,
        )
        if old is None or old.item != new.item or was_failed != is_failed:
            names = {FAILED_ITEMS if is_failed else PROCESSED_ITEMS}
            if old is not None:
                names.add(FAILED_ITEMS if was_failed else PROCESSED_ITEMS)
            self._touch(names, now)
        before = None if old is None or old.optics is None else old.movie.results
        after = None if new.optics is None else movie.results
        if before != after or (old is not None and old.optics != new.optics):
            self._touch(STAR_FILES, now)
        exported = [None if results is None else results.get("export") for results in (before, after)]
        # A particle file may have been replaced under the same summary, so any new result of the movie counts.
        if self.settings.export.particles and (exported[0] != exported[1] or self._redone(old, movie)):
            self._touch([PARTICLES], now)

    def _redone(self, old: _Entry | None, movie: Movie) -> bool:
        return old is not None and old.movie.status in LEASED and movie.status not in LEASED

    def _settings_changed(self, event: SettingsEvent, now: float) -> None:
        before = self.settings
        self._set_settings(event.settings)
        self._touch([SETTINGS], now)
        if before.ctf != self.settings.ctf:
            for entry in self._entries.values():
                entry.optics, entry.group = documents.optics(entry.movie, self.settings.ctf), 0
            self._touch(STAR_FILES, now)
        if self.settings.export.particles and not before.export.particles:
            self._touch([PARTICLES], now)

    def _set_settings(self, raw: dict[str, object]) -> None:
        try:
            self.settings = parse_settings(raw)
        except SettingsError as error:
            log.error("the scheduler's settings cannot be read here (%s); is it another version?", error)

    def _entry(self, movie: Movie) -> _Entry:
        return _Entry(movie, documents.item(movie), documents.optics(movie, self.settings.ctf))

    def _select(self, movie: Movie) -> None:
        flags = documents.selection_flags(movie)
        if flags is None:
            self.selections.pop(movie.name, None)
        else:
            self.selections[movie.name] = flags

    def _is_ready(self, name: str, now: float) -> bool:
        if name == MOVIES:
            return self.data_directory is not None
        return name != PARTICLES or now >= self._particles_not_before

    def _touch(self, names: Iterable[str], now: float) -> None:
        names = set(names)
        if not names:
            return
        if not self._dirty - {PARTICLES}:
            self._first_change = now
        self._dirty |= names
        self._last_change = now

    def _rows(self) -> list[Rows]:
        """Rows of all movies that belong in STAR files.

        Groups are numbered in the order of movies, rows kept while theirs stays.
        """
        numbers: dict[Optics, int] = {}
        made = []
        for entry in self._entries.values():
            if entry.optics is None:
                continue
            number = numbers.setdefault(entry.optics, len(numbers) + 1)
            if entry.rows is None or entry.group != number:
                path = documents.movie_file(self.data_directory or "", self.processing_directory, entry.movie.path)
                entry.rows, entry.group = documents.rows(entry.movie, number, path), number
            made.append(entry.rows)
        return made


def _json_array(lines: Iterator[str]) -> str:
    text = ",\n".join(lines)
    return f"[\n{text}\n]\n" if text else "[]\n"


def _movies(groups: list[star_files.OpticsGroup], made: list[Rows]) -> str:
    return star_files.movies_star(groups, [row.movie for row in made])


def _corrected(groups: list[star_files.OpticsGroup], made: list[Rows]) -> str:
    """Name halves only where every micrograph has them, since all rows of a loop have the same columns."""
    present = [row for row in made if row.corrected is not None]
    halves = bool(present) and all(row.halves is not None for row in present)
    lines = [f"{row.corrected} {row.halves}" if halves else str(row.corrected) for row in present]
    return star_files.corrected_micrographs_star(groups, lines, halves=halves)


def _ctf(groups: list[star_files.OpticsGroup], made: list[Rows]) -> str:
    return star_files.micrographs_ctf_star(groups, [row.ctf for row in made if row.ctf is not None])


def _autopick(groups: list[star_files.OpticsGroup], made: list[Rows]) -> str:
    return star_files.autopick_star([row.autopick for row in made if row.autopick is not None])


_STAR_TEXTS: dict[str, Callable[[list[star_files.OpticsGroup], list[Rows]], str]] = {
    MOVIES: _movies,
    CORRECTED: _corrected,
    CTF: _ctf,
    AUTOPICK: _autopick,
}
