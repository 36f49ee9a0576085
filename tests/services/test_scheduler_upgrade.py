"""A session that an earlier version stored is taken up: all its movies, leases, exports and settings."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tests.services.scheduler_site import Site, ask
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import JobState, Pauser
from warpcore.services.scheduler.core.effects import Effect, Reply
from warpcore.services.scheduler.core.invariants import validate
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import ChangeSettings
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.scheduler.store.schema import FORMAT, StateError
from warpcore.services.session.learning import without_evidence
from warpcore.services.session.migrations import LATEST
from warpcore.services.session.settings import patch_settings
from warpcore.services.steps.step import RUN

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("session-v*.tar.gz"))


class Old:
    """An unpacked session of an earlier version."""

    def __init__(self, packed: Path, folder: Path) -> None:
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        self.processing = folder / "processing"
        self.path = self.processing / ".warpcore" / "state.db"
        self.expected = json.loads((self.processing / "expected.json").read_text())
        self.where = {
            name: str(self.one(f"SELECT value FROM meta WHERE key = '{name}'"))
            for name in ("data_directory", "processing_directory")
        }

    def one(self, query: str) -> Any:
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute(query).fetchone()[0]

    def change(self, statement: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as db:
            db.execute(statement, values)

    def state(self) -> State:
        with closing(Store(self.path, **self.where)) as store, store.errors("read"):
            return restore(store.load(), now=0.0, wall=0.0, **self.where)

    def settings(self, **sections: dict[str, Any]) -> None:
        """Change stored settings as a version would that knows more names."""
        body = json.loads(self.one("SELECT body FROM settings"))
        for section, values in sections.items():
            body[section] = {**body.get(section, {}), **values}
        self.change("UPDATE settings SET body = ?", json.dumps(body))


BEFORE_PICKING_4 = FIXTURES[:2]
"""Those whose method of picking was an earlier one."""
BEFORE_EXPORT_3 = FIXTURES[:5]
"""Those whose method of export was an earlier one."""


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Old:
    return Old(request.param, tmp_path)


exported_otherwise = pytest.mark.parametrize("old", BEFORE_EXPORT_3, indirect=True, ids=lambda path: path.name)
picked_otherwise = pytest.mark.parametrize("old", BEFORE_PICKING_4, indirect=True, ids=lambda path: path.name)


def test_everything_is_as_the_earlier_version_said(old: Old) -> None:
    state = old.state()
    validate(state)
    assert old.one("PRAGMA user_version") == FORMAT
    for told in old.expected["movies"]:
        movie = state.by_name[told["name"]]
        shown = {step: summary for step, summary in told["results"].items() if step != RUN}
        assert without_evidence(movie.results) == shown
        assert (movie.selection, movie.priority) == (told["selection"], told["priority"])
        assert (movie.failure.to_body() if movie.failure else None) == told["failure"]
        if told["status"] not in ("processed", "filtered_out", "outdated"):
            assert movie.status == told["status"]
    assert state.by_name["again"].kept
    (running,) = old.expected["status"]["running"]
    leased = state.tasks[running["lease"]]
    assert leased.state == LeaseState.BEGUN
    assert not set(leased.run) & set(state.movies[leased.movie].fingerprints), "nobody knows which files are new"
    (job,) = old.expected["exports"]
    exported = state.exports[job["job"]]
    assert (exported.options, exported.open, exported.state) == (job["options"], job["total"], job["state"])
    assert state.settings.ctf.grid == [5, 4]
    assert state.settings.export.halves
    assert not state.set_aside


def outdated(state: State) -> dict[str, list[str]]:
    return {name: movie.outdated_steps for name, movie in state.by_name.items() if movie.outdated_steps}


@picked_otherwise
def test_picking_and_export_alone_run_again(old: Old) -> None:
    """Their versions have grown since."""
    state = old.state()
    with_results = {told["name"]: told["outdated_steps"] for told in old.expected["movies"] if told["results"]}
    assert outdated(state) == {name: steps or ["picking", "export"] for name, steps in with_results.items()}
    assert with_results["again"] == []
    assert {name: str(movie.status) for name, movie in state.by_name.items()} == {
        told["name"]: "outdated" if told["results"] else told["status"] for told in old.expected["movies"]
    }


@exported_otherwise
def test_export_alone_runs_again_where_picking_is_off(old: Old) -> None:
    old.settings(picking={"enabled": False})
    expected = old.expected["movies"]
    steps = {
        told["name"]: [*(one for one in told["outdated_steps"] if one not in ("picking", "export")), "export"]
        for told in expected
        if told["results"]
    }
    assert outdated(old.state()) == steps


def changed(state: State, **sections: dict[str, Any]) -> tuple[wire.SettingsEffect, list[Effect]]:
    """What a change of settings runs, and all that it does."""
    settings = patch_settings(state.settings, sections)
    effects = handle(state, ChangeSettings(settings, state.references), 1.0)
    (reply,) = [effect.message for effect in effects if isinstance(effect, Reply)]
    assert isinstance(reply, wire.SettingsReply)
    assert reply.effect is not None
    return reply.effect, effects


@exported_otherwise
def test_settings_set_back_after_the_upgrade_run_what_is_new_alone(old: Old) -> None:
    """Outdated movies hold only hashes, and these are of the form of their time."""
    old.settings(picking={"enabled": False})
    state = old.state()
    assert state.by_name["grid/old"].outdated_steps == ["ctf", "export"]
    changed(state, ctf={"range_max": 4.0})
    assert state.by_name["grid/old"].outdated_steps == ["export"]
    validate(state)


@pytest.mark.parametrize("old", FIXTURES[:3], indirect=True, ids=lambda path: path.name)
@pytest.mark.parametrize(("paused", "by"), [(0, None), (1, Pauser.PERSON)])
def test_who_had_paused_was_a_person(old: Old, paused: int, by: Pauser | None) -> None:
    old.change("UPDATE meta SET value = ? WHERE key = 'paused'", paused)
    assert old.state().paused_by is by


def test_the_ladder_leads_to_the_tables_of_a_new_database(old: Old, tmp_path: Path) -> None:
    old.state()
    Store(tmp_path / "new.db", data_directory="/d", processing_directory="/p").close()

    def tables(path: Path) -> dict[str, Any]:
        with closing(sqlite3.connect(path)) as db:
            names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {name: db.execute(f"PRAGMA table_info({name})").fetchall() for name in names}

    assert tables(old.path) == tables(tmp_path / "new.db")


_DAMAGE = "UPDATE tasks SET body = x'c1'"
_RUNGS_FAIL_AFTER = {
    1: _DAMAGE,
    2: "CREATE TABLE choices (x)",
    3: "CREATE TABLE selections (x)",
    4: _DAMAGE,
    5: "UPDATE exports SET body = x'c1'",
    6: "CREATE TABLE audit (x)",
    7: "CREATE TABLE pools (x)",
}
"""By format, what its rung stumbles over."""


@pytest.mark.parametrize("old", FIXTURES[: len(_RUNGS_FAIL_AFTER)], indirect=True, ids=lambda path: path.name)
def test_a_rung_that_fails_leaves_the_database_as_it_was(old: Old) -> None:
    version = old.one("PRAGMA user_version")
    old.change(_RUNGS_FAIL_AFTER[version])
    for _ in range(2):
        with pytest.raises(StateError, match="cannot be opened"):
            old.state()
        assert old.one("PRAGMA user_version") == version


def test_a_row_with_other_fields_is_no_damage(old: Old) -> None:
    body = msgpack.unpackb(old.one("SELECT body FROM movies WHERE name = 'again'"))
    body["colour"] = "red"
    del body["story"], body["size"]
    old.change("UPDATE movies SET body = ? WHERE name = 'again'", msgpack.packb(body))
    for table in ("tasks", "exports"):
        changed = msgpack.unpackb(old.one(f"SELECT body FROM {table}"))
        old.change(f"UPDATE {table} SET body = ?", msgpack.packb({**changed, "colour": "red"}))
    movie = old.state().by_name["again"]
    assert (movie.story, movie.size) == ([], 0)
    assert movie.results


def test_ended_export_jobs_stay_as_they_are_and_open_ones_begin_again_in_folders_of_their_own(old: Old) -> None:
    """Files of a job lay among the session's own; what a worker still makes of one would name them there."""
    (job,) = old.expected["exports"]
    begun = old.state().exports[job["job"]]
    assert (begun.folder, begun.open, begun.state) == ("exports/job-1", job["total"], JobState.RUNNING)


@pytest.mark.parametrize(
    ("state", "kind", "items", "became", "folder", "opened"),
    [
        ("collecting", "particles", ("done", "failed"), JobState.RUNNING, "particles/job-1", 1),
        ("running", "micrographs", ("done", "running"), JobState.RUNNING, "exports/job-1", 2),
        ("done", "particles", ("done", "failed"), JobState.DONE, "", 0),
        ("cancelled", "particles", ("done", "running"), JobState.CANCELLED, "", 0),
    ],
)
@pytest.mark.parametrize("old", FIXTURES[4:5], indirect=True, ids=lambda path: path.name)
def test_jobs_of_each_state_are_taken_up(
    old: Old, state: str, kind: str, items: tuple[str, str], became: JobState, folder: str, opened: int
) -> None:
    name = old.one("SELECT job FROM exports")
    body = {**msgpack.unpackb(old.one("SELECT body FROM exports")), "state": state, "kind": kind, "file": "p.star"}
    old.change("UPDATE exports SET body = ?", msgpack.packb(body))
    movies = [old.one("SELECT min(movie) FROM export_movies"), old.one("SELECT max(movie) FROM export_movies")]
    for movie, item in zip(movies, items, strict=True):
        packed = msgpack.packb({"files": [f"average/{movie}.mrc"]})
        old.change("UPDATE export_movies SET state = ?, body = ? WHERE movie = ?", item, packed, movie)
        if item == "running":
            lease = msgpack.packb(
                {"worker": "w1", "instance": "2", "purpose": name, "run": ["export"], "state": "begun"}
            )
            old.change("DELETE FROM tasks WHERE movie = ?", movie)
            old.change("INSERT INTO tasks VALUES (900, ?, ?)", movie, lease)
    taken = old.state()
    validate(taken)
    job = taken.exports[name]
    assert (job.state, job.folder, job.open) == (became, folder, opened)
    assert 900 not in taken.tasks
    if became == JobState.DONE:
        assert (job.file, job.items[movies[0]].files) == ("p.star", [f"average/{movies[0]}.mrc"])
    assert taken.last_export == 1, "the next one is job-2"


@pytest.fixture
def site(old: Old, free_ports: Any) -> Site:
    """A real scheduler's place around the old session."""
    site = Site(old.processing.parent, free_ports(4))
    old.change("UPDATE meta SET value = ? WHERE key = 'data_directory'", str(site.data))
    old.settings(**{"import": {"data": str(site.data)}})
    return site


def test_a_stored_setting_that_no_longer_exists_is_told_and_kept(
    old: Old, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    old.settings(ctf={"volts": 300}, gone={"x": 1})
    for _ in range(2):
        with site.running(paused=True) as client:
            warnings = ask(client, wire.GetProcessing()).warnings
            told = {text.split(" is stored")[0] for text in warnings}
            assert told == {"setting gone = {'x': 1}", "setting ctf.volts = 300"}
            assert ask(client, wire.GetSettings()).settings["ctf"]["range_max"] == 5.0
        assert "ctf.volts = 300" in caplog.text
        assert json.loads(old.one("SELECT set_aside FROM settings")) == {"gone": {"x": 1}, "ctf.volts": 300}
    with site.running(paused=True) as client:
        ask(client, wire.PutSettings(ask(client, wire.GetSettings()).settings))
        assert ask(client, wire.GetProcessing()).warnings == []
    assert old.one("SELECT set_aside FROM settings") == "{}"


def test_subscribers_take_a_snapshot_after_settings_were_migrated(old: Old, site: Site) -> None:
    old.settings(ctf={"grid": [5, 4, 1]})
    if old.one("PRAGMA user_version") > 1:
        old.change("UPDATE settings SET migration = ''")
    with site.running(paused=True) as client:
        assert ask(client, wire.GetChanges(old.expected["status"]["seq"])).trimmed
        assert ask(client, wire.GetSnapshot()).settings["ctf"]["grid"] == [5, 4]
    assert json.loads(old.one("SELECT body FROM settings"))["ctf"]["grid"] == [5, 4]
    assert old.one("SELECT migration FROM settings") == LATEST
