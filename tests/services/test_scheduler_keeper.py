"""The database is checked, backed up, and noticed when it is damaged, deleted or replaced while in use."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, files
from tests.waiting import delete_in_use
from warpcore.bus import messages as wire
from warpcore.bus.client import RefusedError, RequestClient
from warpcore.services.scheduler.shell import keeper
from warpcore.services.scheduler.shell.keeper import Due
from warpcore.services.scheduler.shell.lock import SessionError
from warpcore.services.scheduler.store import backups
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.schema import FORMAT, StateError


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


def opened(path: Path) -> Store:
    return Store(path, data_directory="/data", processing_directory=str(path.parent))


def state_of(site: Site) -> Path:
    return site.processing.resolve() / ".warpcore" / "state.db"


def spoil(path: Path) -> None:
    """Damage that only a check of the whole file finds: a page in the middle."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 4096 // 2 * 4096)
        file.write(b"\xff" * 4096)


def alarm(client: RequestClient) -> str:
    told = [one.text for one in ask(client, wire.GetAlarms()).alarms if one.subject == "state"]
    return told[0] if told else ""


def test_when_the_database_is_checked_and_backed_up() -> None:
    due = Due(every_s=600, at=100)
    assert [due.comes(now) for now in (99, 100, 699, 700)] == [False, True, False, True]


def test_backups_are_whole_databases_of_which_three_stay(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(opened(path)) as store:
        made = [backups.back_up(path, at) for at in (3600.0 * hour for hour in range(5))]
        assert backups.hourly_backups(path) == made[2:]
        assert made[-1].name == "state.19700101T040000Z.db"
        epoch = store.epoch
    path.unlink()
    shutil.copy(made[-1], path)
    with closing(opened(path)) as store:
        assert store.epoch == epoch


def test_a_backup_that_fails_leaves_nothing_and_takes_none_away(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(opened(path)):
        first = backups.back_up(path, 0.0)
        os.truncate(path, 5000)
        with pytest.raises(sqlite3.DatabaseError):
            backups.back_up(path, 3600.0)
    assert list(backups.folder_of(path).iterdir()) == [first]


def test_a_backup_makes_no_folder_where_a_file_system_has_gone(tmp_path: Path) -> None:
    """It may go while a backup begins; a folder at its place would hide in what is mounted there again."""
    path = tmp_path / "storage" / "state.db"
    path.parent.mkdir()
    with closing(opened(path)), closing(sqlite3.connect(path)) as db:
        path.parent.rename(tmp_path / "away")
        with pytest.raises(FileNotFoundError):
            backups.copy(db, backups.upgrade_backup(path, FORMAT))
        assert not path.parent.exists()


def test_damage_is_found_at_the_start_and_the_ways_back_are_told(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(opened(path)) as store, closing(sqlite3.connect(path)) as db:
        db.executemany("INSERT INTO changes VALUES (?, 'a', ?)", [(number, bytes(900)) for number in range(500)])
        db.commit()
        backup = backups.back_up(path, 0.0)
        assert store.epoch
    spoil(path)
    with pytest.raises(StateError, match=rf"is damaged \(.*\): put back {backup}, or .* warpcore scheduler --rebuild"):
        opened(path)


def test_an_older_program_says_how_to_go_back_before_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(opened(path)):
        backup = backups.upgrade_backup(path, FORMAT)
        with closing(sqlite3.connect(path)) as db:
            backups.copy(db, backup)
            db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(StateError, match=rf"newer warpcore .* or move it away and put {backup} there"):
        opened(path)


def test_a_deleted_folder_is_written_again_with_all_that_was_acknowledged(
    site: Site, wait_until: WaitUntil, free_ports: Callable[[int], list[int]]
) -> None:
    path = state_of(site)
    with site.running() as client:
        ask(client, files("a.tif", "b.tif"))
        delete_in_use(path.parent)
        wait_until(path.exists, 20, "the database is back")
        ask(client, files("c.tif"))
        wait_until(lambda: (path.parent / "lock").exists(), what="the lock is back")
        second = Site(site.data.parent, free_ports(4))
        with pytest.raises(SessionError, match="is in use"), second.running():
            pass
        assert alarm(client) == ""
    with site.running() as client:
        assert ask(client, wire.GetItems()).total == 3


def test_damage_while_running_stops_assignments_with_an_alarm(
    site: Site, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "CHECK_EVERY_S", 1.0)
    path = state_of(site)
    with site.running() as client:
        ask(client, files(*(f"{number}.tif" for number in range(400))))
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        spoil(path)
        wait_until(lambda: "is damaged" in alarm(client), 20, "the alarm")
        assert "warpcore scheduler --rebuild" in alarm(client)
        worker = WorkerSide(site, "w")
        worker.register()
        wait_until(lambda: worker.got(wire.WorkerRegistered), what="registration")
        worker.dealer.send(wire.PullTasks("w", 2))
        worker.register()
        wait_until(lambda: len(worker.got(wire.WorkerRegistered)) == 2, what="an answer to what came after the pull")
        assert not worker.got(wire.AssignTask)
        worker.dealer.close()


def test_damage_that_a_commit_meets_stops_assignments_at_once(site: Site, wait_until: WaitUntil) -> None:
    path = state_of(site)
    with site.running() as client:
        ask(client, files("a.tif"))
        with closing(sqlite3.connect(path)) as db:
            query = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_movies_1'"
            (page,) = db.execute(query).fetchone()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            with path.open("r+b") as file:
                file.seek((page - 1) * 4096)
                file.write(b"\xff" * 4096)
            # A change of another connection makes the scheduler's forget the pages that it has read.
            db.execute("INSERT INTO meta VALUES ('other', 1)")
            db.commit()
        with pytest.raises(RefusedError, match="warpcore scheduler --rebuild"):
            ask(client, files("b.tif"))
        wait_until(lambda: "cannot be written" in alarm(client), what="the alarm")


def test_a_database_that_cannot_be_read_now_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        backups.damage(tmp_path)


def test_another_database_in_its_place_stops_assignments(site: Site, wait_until: WaitUntil) -> None:
    path = state_of(site)
    with site.running() as client:
        ask(client, files("a.tif"))
        shutil.copy(path, path.with_name("copy"))
        path.with_name("copy").replace(path)
        wait_until(lambda: "is another file than the one in use" in alarm(client), 20, "the alarm")


def test_a_processing_directory_that_goes_and_comes_back_keeps_its_database(
    site: Site, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder lies at its place meanwhile, as the mount point does of a file system that was unmounted."""
    monkeypatch.setattr(keeper, "LOOK_EVERY_S", 0.05)
    away = site.processing.with_name("away")
    with site.running() as client:
        ask(client, files("a.tif"))
        site.processing.rename(away)
        site.processing.mkdir()
        wait_until(lambda: ask(client, wire.GetProcessing()).holds, 20, "the session holds")
        ask(client, files("b.tif"))
        assert list(site.processing.iterdir()) == []
        site.processing.rmdir()
        away.rename(site.processing)
        wait_until(lambda: not ask(client, wire.GetProcessing()).holds, 20, "the session goes on")
        ask(client, files("c.tif"))
        assert alarm(client) == ""
    with site.running() as client:
        assert ask(client, wire.GetItems()).total == 3


def test_a_file_system_that_comes_back_with_another_device_number_is_watched_again(
    site: Site, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its numbers the folder is another one then, and the database is the same file."""
    monkeypatch.setattr(keeper, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(keeper, "BACKUP_EVERY_S", 0.0)
    path, away = state_of(site), site.processing.with_name("away")
    with site.running() as client:
        ask(client, files("a.tif"))
        wait_until(lambda: backups.hourly_backups(path), what="a backup")
        site.processing.rename(away)
        site.processing.mkdir()
        (away / ".warpcore").rename(site.processing / ".warpcore")
        before = set(backups.hourly_backups(path))
        wait_until(lambda: set(backups.hourly_backups(path)) - before, what="a backup there")
        path.unlink()
        wait_until(path.exists, what="it is written anew")
        assert alarm(client) == ""
