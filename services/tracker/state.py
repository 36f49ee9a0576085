"""Decides which files are due, and makes their texts. No IO; time is passed in."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from warpcore.bus.envelope import Envelope, WireError
from warpcore.bus.follower import Event, FollowerItem, Reset
from warpcore.bus.messages import ExportEvent, Movie, MovieEvent, SettingsEvent
from warpcore.bus.vocabulary import LEASED, MovieStatus
from warpcore.services.session.optics_groups import apart
from warpcore.services.session.project import Project
from warpcore.services.session.settings import Settings, SettingsError, parse_settings
from warpcore.services.session.tables import (
    FAILED_ITEMS,
    PARTICLES,
    PROCESSED_ITEMS,
    SETTINGS,
    STAR_FILES,
    TABLES,
)
from warpcore.services.tracker import documents
from warpcore.services.tracker.documents import Optics, Rows
from warpcore.services.tracker.star_texts import STAR_TEXTS

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
    """As the scheduler's host sees it, for the names of files; this host may see it elsewhere."""
    debounce_s: float = 1.0
    max_delay_s: float = 10.0
    data_directory: str | None = None
    """The data directory. The shell asks for it after each reset; STAR files wait for it."""
    settings: Settings = field(default_factory=Settings)
    selections: dict[str, tuple[bool, bool | None]] = field(default_factory=dict)
    """Selection flags to write into XML, by movie. The shell removes those that it has written."""
    collecting: set[str] = field(default_factory=set)
    """Export jobs that wait for their particles.star. The shell removes those that it has told the scheduler."""
    resets: int = 0
    _entries: dict[int, _Entry] = field(default_factory=dict)
    _dirty: dict[str, float] = field(default_factory=dict)
    """The files to write, and when each changed first since it was written."""
    _last_change: float = 0.0
    _not_before: float = 0.0
    _particles_not_before: float = 0.0

    def apply(self, item: FollowerItem, now: float) -> None:
        """Take in one item of the follower, at monotonic time `now` (seconds)."""
        if isinstance(item, Reset):
            self._reset(item, now)
        elif isinstance(item, Event) and self.resets:
            self._event(item.envelope, now)

    def set_directories(self, data: str, processing: str, now: float) -> None:
        """Take in the directories as the scheduler names them."""
        if (data, processing) != (self.data_directory, self.processing_directory):
            self.data_directory, self.processing_directory = data, processing
            self._name_anew(now)

    def due(self, now: float) -> list[str]:
        """The files to write now, those first that have waited longest, so that each has its turn."""
        if now < self._not_before:
            return []
        quiet = now - self._last_change >= self.debounce_s
        longest_s = 0.0 if quiet else READY_SHARE * self.max_delay_s
        dirty = [name for name in TABLES if name in self._dirty and now - self._dirty[name] >= longest_s]
        return sorted((name for name in dirty if self._is_ready(name, now)), key=self._dirty.__getitem__)

    def wait_s(self, now: float) -> float:
        """Seconds until the next file is due, at most half a second."""
        if self.selections or self.collecting:
            return 0.01
        waiting = [since for name, since in self._dirty.items() if self._is_ready(name, now)]
        if not waiting:
            return 0.5
        quiet, late = self._last_change + self.debounce_s, min(waiting) + READY_SHARE * self.max_delay_s
        return min(0.5, max(0.01, max(min(quiet, late), self._not_before) - now))

    def begun(self, name: str) -> None:
        """A due file is being written as it should be now; a change from here on makes it due again."""
        self._dirty.pop(name, None)

    def written(self, name: str, now: float, took_s: float = 0.0) -> None:
        """A file has been written."""
        if name == PARTICLES:
            self._particles_not_before = now + took_s / PARTICLES_SHARE

    def failed(self, name: str, now: float, pause_s: float) -> None:
        """Writing a file failed: after a pause it is tried again, behind the others."""
        self._dirty[name] = now
        self._not_before = now + pause_s

    def changed(self, names: Iterable[str], now: float) -> list[str]:
        """Files are no longer as they were written: those are due again that are still kept, which are returned."""
        kept = [name for name in names if name != PARTICLES or self.settings.export.particles]
        self._touch(kept, now)
        return kept

    def text(self, name: str) -> str:
        """The whole text of one of the files, except particles.star."""
        entries = self._entries.values()
        if name == PROCESSED_ITEMS:
            return documents.items(entry.item for entry in entries if entry.movie.status != MovieStatus.FAILED)
        if name == FAILED_ITEMS:
            return documents.items(entry.item for entry in entries if entry.movie.status == MovieStatus.FAILED)
        if name == SETTINGS:
            return json.dumps(self.settings.to_dict(), indent=2, ensure_ascii=False) + "\n"
        made = self._rows()
        used = {entry.group: entry.optics for entry in self._entries.values() if entry.optics is not None}
        groups = [optics.group(number) for number, optics in sorted(used.items())]
        return STAR_TEXTS[name](groups, made)

    def particle_files(self) -> list[str]:
        """The files whose rows make up particles.star, in order; none where particles are not exported."""
        if not self.settings.export.particles:
            return []
        return [made.particles for made in self._rows() if made.particles is not None]

    def groups_of_averages(self) -> dict[str, int]:
        """The optics group of each movie that has an average, by the name of that as particles have it."""
        project = self._project
        averages = ((one.movie.results.get("export") or {}, one.movie.optics_group) for one in self._entries.values())
        return {project.output(export["average"]): group for export, group in averages if export.get("average")}

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
            elif envelope.type in ("export.done", "export.deleting", "export.deleted"):
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
        moved = old is not None and old.movie.optics_group != movie.optics_group and new.optics is not None
        if before != after or moved or (old is not None and old.optics != new.optics):
            self._touch(STAR_FILES, now)
        exported = [None if results is None else results.get("export") for results in (before, after)]
        # A particle file may have been replaced under the same summary, so any new result of the movie counts.
        if self.settings.export.particles and (exported[0] != exported[1] or moved or self._redone(old, movie)):
            self._touch([PARTICLES], now)

    def _redone(self, old: _Entry | None, movie: Movie) -> bool:
        return old is not None and old.movie.status in LEASED and movie.status not in LEASED

    def _settings_changed(self, event: SettingsEvent, now: float) -> None:
        before = self.settings
        self._set_settings(event.settings)
        self._touch([SETTINGS], now)
        old, new = ((one.ctf, one.export.project_root, one.export.mtf_path) for one in (before, self.settings))
        if old != new:
            self._name_anew(now)
        if self.settings.export.particles and not before.export.particles:
            self._touch([PARTICLES], now)

    def _name_anew(self, now: float) -> None:
        """All rows are made again, since files have other names or movies other optics."""
        for entry in self._entries.values():
            entry.optics, entry.group = self._optics(entry.movie), 0
        self._touch(STAR_FILES, now)

    def _set_settings(self, raw: dict[str, object]) -> None:
        try:
            self.settings = parse_settings(raw)
        except SettingsError as error:
            log.error("the scheduler's settings cannot be read here (%s); is it another version?", error)

    def _entry(self, movie: Movie) -> _Entry:
        return _Entry(movie, documents.item(movie), self._optics(movie))

    @property
    def _project(self) -> Project:
        return Project(self.processing_directory, self.settings.export.project_root)

    def _optics(self, movie: Movie) -> Optics | None:
        mtf = self.settings.export.mtf_path
        return documents.optics(movie, self.settings.ctf, "" if mtf is None else self._project.file(mtf))

    def _select(self, movie: Movie) -> None:
        flags = documents.selection_flags(movie)
        if flags is None:
            self.selections.pop(movie.name, None)
        else:
            self.selections[movie.name] = flags

    def _is_ready(self, name: str, now: float) -> bool:
        if name in STAR_FILES:
            return self.data_directory is not None
        return name != PARTICLES or now >= self._particles_not_before

    def _touch(self, names: Iterable[str], now: float) -> None:
        for name in names:
            self._dirty.setdefault(name, now)
            self._last_change = now

    def _rows(self) -> list[Rows]:
        """Rows of all movies that belong in STAR files; they are kept while their group stays."""
        numbers = apart((one.movie.optics_group, one.optics) for one in self._entries.values() if one.optics)
        made, project = [], self._project
        for entry in self._entries.values():
            if entry.optics is None:
                continue
            number = numbers[entry.movie.optics_group, entry.optics]
            if entry.rows is None or entry.group != number:
                data = self.data_directory or ""
                entry.rows, entry.group = documents.rows(entry.movie, number, project, data), number
            made.append(entry.rows)
        return made
