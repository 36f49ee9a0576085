"""A lost state made anew, from the records beside the results and what can be read of databases and backups."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.scheduler.core import rows
from warpcore.services.scheduler.core.effects import SaveHandPicks, SaveMovie, SaveProfile
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.shell.lock import STATE_FOLDER, locked
from warpcore.services.scheduler.shell.session import Session
from warpcore.services.scheduler.store.backups import hourly_backups
from warpcore.services.scheduler.store.salvaging import Salvaged, salvage
from warpcore.services.session.hand_picks import edits_id
from warpcore.services.session.migrations import load_settings_file
from warpcore.services.session.movie_record import FOLDER, MovieRecordFile, read_records
from warpcore.services.session.paths import movie_root
from warpcore.services.session.selecting import UNSELECT_MANUAL
from warpcore.services.session.settings import Settings, SettingsError
from warpcore.services.session.tables import SETTINGS

_SHOWN = 5
NOT_KNOWN = (
    "not known any more: who waits first, failures, stories, exports, tries, the history of settings and selections; "
    "outputs kept for going back; when files were found, for which the times of the files stand"
)


def rebuild(
    data: Path,
    processing: Path,
    *,
    state_path: Path | None = None,
    settings: Callable[[Settings], Settings] | None = None,
) -> list[str]:
    """Make the state of a session anew; a former database is moved aside. Returns what is to be told, line by line.

    `settings` makes the new settings from those that were found. Where none were found and none are given, the session
    is paused, so that nothing runs again with wrong ones. Raises SessionError, StateError, SettingsError and OSError.
    """
    state = state_path or processing.resolve() / STATE_FOLDER / "state.db"
    with locked(processing) as lock:
        aside = _move_aside(state)
        found = salvage([*([aside] if aside else []), *reversed(hourly_backups(state))])
        base, source = _settings(found, processing)
        wanted = base or Settings()
        if settings is not None:
            wanted, source = settings(wanted), source or "given"
        lines = [f"the former state is {aside}"] if aside else []
        session = Session(
            data, processing, state_path=state, settings=wanted, paused=True if not source else None, lock=lock
        )
        with closing(session):
            lines += _take_up(session, found, data, processing)
            session.store.commit(time.time())
    if source:
        return [*lines, f"settings: {source}", NOT_KNOWN]
    unknown = "settings could not be known, so defaults hold and the session is paused: set them, then warpcore start"
    return [*lines, unknown, NOT_KNOWN]


def _move_aside(state: Path) -> Path | None:
    """Where the former database is now, None where there was none."""
    if not state.exists():
        return None
    aside = state.with_name(f"{state.stem}.lost-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.db")
    for rest in ("-wal", "-shm", ""):
        part = state.with_name(f"{state.name}{rest}")
        if part.exists():
            part.replace(aside.with_name(f"{aside.name}{rest}"))
    return aside


def _settings(found: Salvaged, processing: Path) -> tuple[Settings | None, str]:
    """The settings that were in force, and where they were found; None and "" where nowhere."""
    if found.settings is not None:
        return found.settings.settings, f"as in {found.source}"
    try:
        return load_settings_file(processing / SETTINGS), f"as in {processing / SETTINGS}"
    except (SettingsError, OSError):
        return None, ""


def _take_up(session: Session, found: Salvaged, data: Path, processing: Path) -> list[str]:
    state, unreadable, gone = session.state, [], 0
    records = []
    for path, record in read_records(processing):
        if record is None or record.name != movie_root(record.path):
            unreadable.append(str(path.relative_to(processing)))
        else:
            records.append(record)
    for record in sorted(records, key=lambda one: (one.mtime_ns, one.path)):
        gone += not (data / record.path).exists()
        _add(state, record, found, processing)
    for profile in found.profiles.values():
        state.profiles[profile.name] = profile
        state.effects.append(SaveProfile(rows.profile_row(profile)))
    state.cut_log()
    session.store.stage(state.effects)
    # A worker of the lost session may still write into the folder of its lease: no new one has the same.
    session.store.begin_leases(int(time.time()))
    state.effects = []
    lines = [f"{len(records)} movies have results, by their records in {processing / FOLDER}"]
    waiting = state.counts[MovieStatus.OUTDATED]
    if waiting:
        lines.append(f"{waiting} of them have steps to run again under these settings")
    if gone:
        lines.append(f"{gone} of them have results, but their files are gone from {data}")
    if unreadable:
        shown = ", ".join(unreadable[:_SHOWN]) + (", …" if len(unreadable) > _SHOWN else "")
        lines.append(f"{len(unreadable)} records cannot be read, so these movies run again: {shown}")
    return lines


def _add(state: State, record: MovieRecordFile, found: Salvaged, processing: Path) -> None:
    file = record.name, record.path, record.size, record.mtime_ns
    movie = MovieRecord(state.last_movie + 1, *file, MovieStatus.PROCESSED)
    movie.fingerprints, movie.results, movie.outputs = record.fingerprints, record.results, record.outputs
    movie.selection = found.selections.get(record.path) or _selection_in_xml(processing / f"{record.name}.xml")
    if record.path in found.hand_picks:
        edits = replace(found.hand_picks[record.path], movie=movie.id)
        state.hand_picks[movie.id] = edits
        movie.hand_picks = edits_id(edits.present)
        state.effects.append(SaveHandPicks(rows.hand_picks_row(edits)))
    movie.tell(state.seq, state.wall, "taken up from its record")
    state.derive(movie)
    state.index(movie)
    state.effects.append(SaveMovie(rows.movie_row(movie)))


def _selection_in_xml(path: Path) -> Selection:
    """The user's choice that the tracker has written into a movie's XML; `auto` where it cannot be read."""
    try:
        _, root = next(ElementTree.iterparse(path, ("start",)))
    except (OSError, StopIteration, ElementTree.ParseError):
        return Selection.AUTO
    word = root.get("UnselectManual")
    return next((Selection(name) for name, flag in UNSELECT_MANUAL.items() if word == str(flag)), Selection.AUTO)
