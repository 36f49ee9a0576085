"""A lost state is made anew from the records beside the results, and what is not known is told."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.scheduler.core import rows
from warpcore.services.scheduler.core.effects import SaveMovie
from warpcore.services.scheduler.core.stimuli import FromControl
from warpcore.services.scheduler.shell.lock import SessionError, locked
from warpcore.services.scheduler.shell.rebuilding import rebuild
from warpcore.services.scheduler.shell.session import Session
from warpcore.services.scheduler.store import backups
from warpcore.services.session.hand_picks import edits_id
from warpcore.services.session.movie_record import MovieRecordFile, record_path
from warpcore.services.session.paths import written_whole
from warpcore.services.session.settings import Settings, patch_settings
from warpcore.services.session.tables import MOVIES, SETTINGS

NAMES = ("grid/a", "grid/b", "c")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for folder in ("data/grid", "processing"):
        (tmp_path / folder).mkdir(parents=True)
    for name in NAMES:
        (tmp_path / "data" / f"{name}.tif").write_bytes(bytes(100))
    return tmp_path


@contextmanager
def opened(site: Path, **options: Any) -> Iterator[Session]:
    with closing(Session(site / "data", site / "processing", **options)) as session:
        yield session


def process(session: Session, site: Path) -> None:
    """All movies are done under the settings in force, as their records say; the last one is beyond the filter."""
    found = [
        wire.FoundFile(f"{name}.tif", 100, (site / "data" / f"{name}.tif").stat().st_mtime_ns) for name in sorted(NAMES)
    ]
    session.decide(FromControl(wire.RegisterFiles(found)))
    state = session.state
    for movie in state.movies.values():
        movie.fingerprints = state.wanted(movie)
        ctf = {"resolution_angstrom": 3.0 + 20 * (movie.id == 3)}
        movie.results = {"input": {"width": 100, "height": 100}, "ctf": ctf, "picking": {"count": 3}}
        movie.outputs = {"motion": [f"motion/{movie.name}.json"]}
        output = site / "processing" / "motion" / f"{movie.name}.json"
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("{}")
        movie.status = MovieStatus.PROCESSED
        state.derive(movie)
        session.store.stage([SaveMovie(rows.movie_row(movie))])
        record = MovieRecordFile(
            *(movie.name, movie.path, movie.size, movie.mtime_ns),
            *(movie.fingerprints, movie.results, movie.outputs),
        )
        path = site / "processing" / record_path(movie.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(record.text)


def told(session: Session) -> dict[str, tuple[Any, ...]]:
    """What must be the same again."""
    return {
        movie.name: (movie.path, movie.status, movie.selection, movie.fingerprints, movie.results, movie.outputs)
        for movie in session.state.movies.values()
    }


VOLTAGE = patch_settings(
    Settings(), {"ctf": {"voltage": 200}, "picking": {"diameter": 120}, "filter": {"resolution_max": 10.0}}
)


def test_of_a_damaged_database_all_that_can_be_read_is_taken_up(site: Path) -> None:
    path = site / "processing" / ".warpcore" / "state.db"
    with opened(site, settings=VOLTAGE) as session:
        process(session, site)
        session.decide(FromControl(wire.SelectItem("c", Selection.EXCLUDE)))
        session.decide(FromControl(wire.SetItemPicks("grid/a", added=[(1.0, 2.0)])))
        session.decide(FromControl(wire.ReportPool("gpu", "slurm", 0, 4, 0, 0, 0, 0)))
        session.decide(FromControl(wire.SetPool(maximum=8)))
        session.store.commit()
        before = told(session)
        revision_of_edits = session.state.by_name["grid/a"].hand_picks
        backups.back_up(path, 0.0)
    assert {status for _, status, *_ in before.values()} >= {MovieStatus.PROCESSED, MovieStatus.FILTERED_OUT}
    path.write_bytes(path.read_bytes()[:8192])
    lines = rebuild(site / "data", site / "processing")
    with opened(site) as session:
        assert told(session) == before
        assert session.state.settings.ctf.voltage == 200
        assert not session.state.paused
        assert session.state.last_lease > 1_000_000_000, "no folder of a former lease is used again"
        (edits,) = session.state.hand_picks.values()
        assert edits_id(edits.present) == session.state.by_name["grid/a"].hand_picks == revision_of_edits
        assert session.state.pools["gpu"].maximum == 8
    assert any(line.startswith("the former state is ") for line in lines)
    assert any(line.startswith("3 movies have results") for line in lines)
    assert any(line.startswith("settings: as in ") for line in lines)
    assert any(line.startswith("not known any more: ") for line in lines)


def test_without_any_database_the_settings_file_and_the_xml_tell_what_a_person_entered(site: Path) -> None:
    with opened(site, settings=VOLTAGE) as session:
        process(session, site)
        before = told(session)
    shutil.rmtree(site / "processing" / ".warpcore")
    (site / "processing" / "settings.json").write_text(json.dumps(VOLTAGE.to_dict()))
    (site / "processing" / "grid").mkdir()
    (site / "processing" / "grid" / "b.xml").write_text(
        '<Movie UnselectFilter="False" UnselectManual="True"><a/></Movie>'
    )
    (site / "processing" / "c.xml").write_text("no XML")
    rebuild(site / "data", site / "processing")
    path, status, _, *made = before["grid/b"]
    with opened(site) as session:
        assert told(session) == {**before, "grid/b": (path, status, Selection.EXCLUDE, *made)}


def test_where_the_settings_are_not_known_the_session_is_paused(site: Path) -> None:
    with opened(site, settings=VOLTAGE) as session:
        process(session, site)
    shutil.rmtree(site / "processing" / ".warpcore")
    lines = rebuild(site / "data", site / "processing")
    assert any("defaults hold and the session is paused" in line for line in lines)
    assert any(line.startswith("3 of them have steps to run again") for line in lines)
    with opened(site) as session:
        assert session.state.paused
    shutil.rmtree(site / "processing" / ".warpcore")
    rebuild(site / "data", site / "processing", settings=lambda _: VOLTAGE)
    with opened(site) as session:
        assert not session.state.paused
        assert session.state.counts[MovieStatus.OUTDATED] == 0


def test_records_that_anybody_has_spoilt_are_named_and_stop_nothing(site: Path) -> None:
    with opened(site, settings=VOLTAGE) as session:
        process(session, site)
    shutil.rmtree(site / "processing" / ".warpcore")
    path = site / "processing" / record_path("grid/a")
    whole = json.loads(path.read_text())
    for spoilt in (
        "",
        "[]",
        "{}",
        json.dumps(whole | {"name": "other"}),
        json.dumps(whole | {"name": "other", "path": "other.tif"}),
        json.dumps(whole | {"outputs": {"ctf": [5]}}),
        json.dumps(whole | {"outputs": {"ctf": [".warpcore/state.db"]}}),
    ):
        path.write_text(spoilt)
        lines = rebuild(site / "data", site / "processing", settings=lambda _: VOLTAGE)
        assert any(line.endswith("these movies run again: records/grid/a.json") for line in lines), spoilt
        with opened(site) as session:
            assert set(told(session)) == {"grid/b", "c"}


@pytest.mark.timeout(60)
def test_pipes_in_place_of_what_is_read_back_hold_up_nothing(site: Path) -> None:
    """Others of the group may make some."""
    with opened(site, settings=VOLTAGE) as session:
        process(session, site)
    shutil.rmtree(site / "processing" / ".warpcore")
    for name in (SETTINGS, MOVIES):
        (site / "processing" / name).unlink(missing_ok=True)
        os.mkfifo(site / "processing" / name)
    rebuild(site / "data", site / "processing")
    with opened(site) as session:
        assert set(told(session)) == set(NAMES)
        assert session.state.paused


def test_a_record_whose_outputs_are_gone_is_not_believed(site: Path) -> None:
    with opened(site, settings=VOLTAGE) as session:
        process(session, site)
        before = told(session)
    shutil.rmtree(site / "processing" / ".warpcore")
    (site / "processing" / "motion" / "grid" / "a.json").unlink()
    lines = rebuild(site / "data", site / "processing", settings=lambda _: VOLTAGE)
    assert any(line.startswith("1 of them have outputs that are gone") for line in lines)
    with opened(site) as session:
        movie = session.state.by_name["grid/a"]
        assert (movie.status, movie.outdated_steps) == (MovieStatus.OUTDATED, ["motion", "ctf", "picking", "export"])
        assert {name: one for name, one in told(session).items() if name != "grid/a"} == {
            name: one for name, one in before.items() if name != "grid/a"
        }


def test_what_a_killed_scheduler_has_left_of_a_record_is_no_movie(site: Path) -> None:
    with opened(site, settings=VOLTAGE) as session:
        process(session, site)
    writing = written_whole(site / "processing" / record_path("grid/a"))
    writing.__enter__().write_bytes((site / "processing" / record_path("grid/a")).read_bytes())
    shutil.rmtree(site / "processing" / ".warpcore")
    lines = rebuild(site / "data", site / "processing", settings=lambda _: VOLTAGE)
    assert lines[0].startswith("3 movies have results")
    assert not any("cannot be used" in line for line in lines)


def test_a_running_session_is_not_rebuilt_under_its_feet(site: Path) -> None:
    with locked(site / "processing"), pytest.raises(SessionError, match="is in use"):
        rebuild(site / "data", site / "processing")


def test_optics_groups_keep_the_numbers_that_the_lists_have_told(site: Path) -> None:
    with opened(site, settings=VOLTAGE) as session:
        process(session, site)
    shutil.rmtree(site / "processing" / ".warpcore")
    data = (site / "data").resolve()
    rows_of = [f"{data}/c.tif 7\n{data}/grid/b.tif 3\n"]
    text = "data_movies\n\nloop_\n_rlnMicrographMovieName #1\n_rlnOpticsGroup #2\n"
    (site / "processing" / "movies.star").write_text(text + "".join(rows_of))
    by_folder = patch_settings(VOLTAGE, {"import": {"optics_groups": "folder"}})
    rebuild(site / "data", site / "processing", settings=lambda _: by_folder)
    with opened(site) as session:
        groups = {movie.name: movie.optics_group for movie in session.state.movies.values()}
        assert groups == {"grid/a": 3, "grid/b": 3, "c": 7}
        assert session.state.last_optics_group == 7
