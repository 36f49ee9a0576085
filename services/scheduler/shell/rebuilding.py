"""A lost state made anew, from the records beside the results and what can be read of databases and backups."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from warpcore.bus.messages import Acquisition, Header
from warpcore.bus.messages.acquisition import said
from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.scheduler.core import rows
from warpcore.services.scheduler.core.effects import SaveAudit, SaveHandPicks, SaveMovie, SavePool, SaveProfile
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.shell.disk import missing_outputs, recorded_outputs
from warpcore.services.scheduler.shell.former_groups import FormerGroups
from warpcore.services.scheduler.shell.lock import locked, state_file
from warpcore.services.scheduler.shell.session import Session
from warpcore.services.scheduler.store.backups import hourly_backups
from warpcore.services.scheduler.store.salvaging import Salvaged, salvage
from warpcore.services.session.allowed import results_below
from warpcore.services.session.hand_picks import edits_id
from warpcore.services.session.migrations import load_settings_file
from warpcore.services.session.movie_record import FOLDER, MovieRecordFile, read_records
from warpcore.services.session.opening import RefusedFileError, check_file, within
from warpcore.services.session.selecting import UNSELECT_MANUAL
from warpcore.services.session.settings import Settings, SettingsError
from warpcore.services.session.tables import SETTINGS
from warpcore.services.steps.export import MOVIE_XML

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
    state = state_file(processing, state_path)
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
    path = processing / SETTINGS
    try:
        with within(results_below(processing)):
            check_file(path)
        return load_settings_file(path), f"as in {path}"
    except (SettingsError, RefusedFileError, OSError):
        return None, ""


def _take_up(session: Session, found: Salvaged, data: Path, processing: Path) -> list[str]:
    state, found_records = session.state, list(read_records(processing))
    records = [record for _, record in found_records if record is not None]
    unusable = [path for path, record in found_records if record is None]
    groups = FormerGroups(processing, state.settings.export.project_root, Path(state.data_directory))
    for record in sorted(records, key=lambda one: (one.mtime_ns, one.path)):
        _add(state, record, found, groups, processing)
    for profile in found.profiles.values():
        state.profiles[profile.name] = profile
        state.effects.append(SaveProfile(rows.profile_row(profile)))
    state.effects += map(SaveAudit, found.audit.values())
    for pool in found.pools.values():
        state.pools[pool.name] = pool
        state.effects.append(SavePool(rows.pool_row(pool)))
    state.cut_log()
    session.store.stage(state.effects)
    # A worker of the lost session may still write into the folder of its lease: no new one has the same.
    session.store.begin_leases(int(time.time()))
    incomplete = [missing for one in recorded_outputs(state) if (missing := missing_outputs(one, processing))]
    for missing in incomplete:
        session.decide(missing)
    lines = [f"{len(records)} movies have results, by their records in {processing / FOLDER}"]
    of_them = (
        (len(incomplete), "have outputs that are gone, so their steps run again"),
        (state.counts[MovieStatus.OUTDATED], "have steps to run again under these settings"),
        (sum(not (data / record.path).exists() for record in records), f"have results, but no file in {data} any more"),
    )
    lines += [f"{count} of them {what}" for count, what in of_them if count]
    if unusable:
        shown = ", ".join(unusable[:_SHOWN]) + (", …" if len(unusable) > _SHOWN else "")
        lines.append(f"{len(unusable)} records cannot be used, so these movies run again: {shown}")
    return lines


def _add(state: State, record: MovieRecordFile, found: Salvaged, groups: FormerGroups, processing: Path) -> None:
    file = record.name, record.path, record.size, record.mtime_ns
    movie = MovieRecord(state.last_movie + 1, *file, MovieStatus.PROCESSED)
    movie.fingerprints, movie.results, movie.outputs = record.fingerprints, record.results, record.outputs
    groups.take_up(movie)
    movie.learn(said(Header, record.header), said(Acquisition, record.acquisition))
    movie.selection = found.selections.get(record.path) or _selection_in_xml(processing / MOVIE_XML.path(record.name))
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
