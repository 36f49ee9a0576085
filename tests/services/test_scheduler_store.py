"""What is stored survives, and what cannot be read is refused with its path."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

import msgpack
import pytest

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import ItemState, JobState, MovieStatus, Selection, TryState
from warpcore.services.scheduler.core.effects import CutLog, DropTask, Publish, SaveMovie, SaveSettings, SaveTask
from warpcore.services.scheduler.core.export_records import ExportItem, ExportRecord
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.records import (
    HandPicksRecord,
    MovieRecord,
    ProfileRecord,
    SelectionRecord,
    StoryLine,
    TaskRecord,
    WorkerRecord,
)
from warpcore.services.scheduler.core.rows import (
    export_from_row,
    export_item_from_row,
    export_item_row,
    export_row,
    hand_picks_from_row,
    hand_picks_row,
    movie_from_row,
    movie_row,
    profile_from_row,
    profile_row,
    selection_from_row,
    selection_row,
    task_from_row,
    task_row,
    try_from_row,
    try_row,
)
from warpcore.services.scheduler.core.try_records import TryRecord
from warpcore.services.scheduler.store import database as store_module
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.scheduler.store.schema import StateError
from warpcore.services.session.migrations import LATEST
from warpcore.services.session.settings import Settings


def opened(path: Path, data: str = "/data") -> Store:
    return Store(path, data_directory=data, processing_directory=str(path.parent))


def movie(id: int) -> MovieRecord:
    return MovieRecord(id, f"m{id}", f"m{id}.tif", 100, 5, results={"ctf": {"defocus_um": 2.7, "failure": None}})


def test_what_was_committed_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = opened(path)
    first = movie(1)
    first.failure = wire.Failure("input", "load", "truncated", "host")
    first.tell(3, 12.5, "found")
    task = TaskRecord(7, 1, "w", "i", "process", ["ctf"], {"ctf": "abc"}, state=LeaseState.BEGUN)
    store.stage(
        [
            SaveMovie(movie_row(first)),
            SaveTask(task_row(task)),
            Publish("movie.added", {"x": 1}, 1),
            Publish("worker.log", {}, 0),
        ]
    )
    store.stage([SaveSettings(Settings().to_dict(), 4, "gain:1", {"ctf.volts": 7})])
    store.commit(99.0)
    store.stage([SaveMovie(movie_row(movie(2)))])
    store.close()
    again = opened(path)
    stored = again.load()
    assert [movie_from_row(row) for row in stored.movies] == [first]
    assert [task_from_row(row) for row in stored.tasks] == [task]
    assert (stored.seq, stored.last_lease, stored.last_modified) == (1, 7, 99.0)
    assert (stored.settings, stored.revision, stored.references) == (Settings().to_dict(), 4, "gain:1")
    assert (stored.migration, stored.set_aside) == (LATEST, {"ctf.volts": 7})
    assert again.changes(0, 10) == ([wire.Change(1, "movie.added", {"x": 1})], False)
    assert again.epoch == stored.epoch == store.epoch
    again.close()


def test_the_story_of_an_earlier_version_is_read() -> None:
    row = movie_row(MovieRecord(1, "a", "a.tif"))._replace(body=msgpack.packb({"story": [[1, 2.5, "found"]]}))
    assert movie_from_row(row).story == [StoryLine(1, 2.5, "found")]


def test_every_field_of_a_record_is_stored_or_says_that_it_is_not() -> None:
    failure = wire.Failure("input", "load", "truncated", "host")
    full = MovieRecord(
        *(
            7,
            "m",
            "m.tif",
            100,
            5,
            MovieStatus.FAILED,
            Selection.EXCLUDE,
            -3,
            failure,
            "f",
            ["why"],
            {"ctf": {"x": 1.5}},
        ),
        *(
            {"ctf": "abc"},
            {"ctf": ["x.mrc"]},
            {"input": 1},
            2,
            ["w"],
            True,
            [StoryLine(1, 2.5, "found", "w", 7, "ctf")],
            ["ctf"],
        ),
        *({"k": {"ctf": "d"}}, {"k": b"r"}, "k", 8, 1.5, 2.5, {"worker": "w"}),
        header=wire.Header(8, 512, 512, 1.1, True),
        acquisition=wire.Acquisition("m.xml", 5, "epu", voltage_kv=200.0, hole="7"),
        optics_group=3,
        founded_group=3,
    )
    report = wire.TaskFinished(
        "w",
        7,
        ["export"],
        {"export": {"average": None}},
        {"export": {"{movie}.xml": 3}},
        {},
    )
    task = TaskRecord(
        *(7, 1, "w", "i", "job-1", ["export"], {"ctf": "a"}, LeaseState.PLACING, 1.0, "picks", report),
        *(3.0, 2.0, None, "ctf", 0.5, "text"),
    )
    job = ExportRecord("job-1", "particles", {"box_size": 64}, JobState.COLLECTING, "p.star", 40, 2, "exports/job-1")
    item = ExportItem(ItemState.FAILED, 2, "w", ["x.mrc"], "text")
    selection = SelectionRecord(9, 8, 1.5, "ada", Selection.EXCLUDE, {7: (Selection.INCLUDE, 3)})
    profile = ProfileRecord("p", 1.5, "ada", {"ctf": {}}, "the last")
    attempt = TryRecord(
        *(9, 7, {"ctf": {}}, {"ctf": {"x": 1}}, "gain:1", 1.5, "ada", TryState.FAILED, 2, "w", failure),
        *({"ctf": {"x": 1.5}}, {"ctf": ["x.mrc"]}, ["why"]),
    )
    hand = wire.HandPicks([(1.0, 2.5)], [(3.0, 4.0)], 64, 32)
    edits = HandPicksRecord(3, hand, [wire.HandPicks(), wire.HandPicks([(5.0, 6.0)])])
    for record, again in (
        (profile, profile_from_row(profile_row(profile))),
        (attempt, try_from_row(try_row(attempt))),
        (edits, hand_picks_from_row(hand_picks_row(edits))),
        (selection, selection_from_row(selection_row(selection))),
        (full, movie_from_row(movie_row(full))),
        (task, task_from_row(task_row(task))),
        (job, export_from_row(export_row(job))),
        (item, export_item_from_row(export_item_row("job-1", 1, item))),
    ):
        for one in fields(record):
            if one.metadata.get("stored", True):
                assert getattr(record, one.name) != _default(one), f"{one.name} is told apart"
                assert getattr(again, one.name) == getattr(record, one.name), one.name
    for row in (movie_row(full), try_row(attempt), hand_picks_row(edits), task_row(task)):
        assert row.body == msgpack.packb(msgpack.unpackb(row.body, strict_map_key=False)), "as msgpack packs it"


def test_a_view_of_a_movie_or_worker_takes_its_fields_from_the_record() -> None:
    known = {one.name for one in fields(MovieRecord)}
    assert set(wire.Movie.__struct_fields__) - known == {"worker"}
    known = {one.name for one in fields(WorkerRecord)} | set(wire.RegisterWorker.__struct_fields__)
    assert set(wire.Worker.__struct_fields__) - known == {"id", "movies", "silent_s", "idle_s"}


def _default(one: Field[Any]) -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default


def test_two_leases_of_one_movie_cannot_be_stored(tmp_path: Path) -> None:
    store = opened(tmp_path / "state.db")
    store.stage([SaveMovie(movie_row(movie(1))), SaveTask(task_row(TaskRecord(1, 1, "w", "i", "process", [], {})))])
    store.commit()
    store.stage([SaveTask(task_row(TaskRecord(2, 1, "w", "i", "process", [], {})))])
    with pytest.raises(StateError, match=r"cannot be written: UNIQUE"):
        store.commit()
    assert [task.lease for task in store.load().tasks] == [1]
    store.stage([DropTask(1), SaveTask(task_row(TaskRecord(2, 1, "w", "i", "process", [], {})))])
    store.commit()
    assert [task.lease for task in store.load().tasks] == [2]
    store.close()


def test_the_last_lease_never_goes_down(tmp_path: Path) -> None:
    store = opened(tmp_path / "state.db")
    for lease in (1, 2):
        store.stage(
            [
                SaveMovie(movie_row(movie(lease))),
                SaveTask(task_row(TaskRecord(lease, lease, "w", "i", "process", [], {}))),
            ]
        )
    store.stage([SaveTask(task_row(TaskRecord(1, 1, "w", "i", "process", [], {}, state=LeaseState.BEGUN)))])
    store.commit()
    store.stage([SaveTask(task_row(TaskRecord(1, 1, "w", "i", "process", [], {}, state=LeaseState.PLACING)))])
    store.commit()
    assert store.load().last_lease == 2
    store.close()


def test_effects_that_cannot_become_rows_leave_nothing_behind(tmp_path: Path) -> None:
    store = opened(tmp_path / "state.db")
    with pytest.raises(TypeError):
        store.stage([SaveMovie(movie_row(movie(1))), Publish("movie.added", {"x": object()}, 1)])
    store.commit()
    assert store.load().movies == []
    store.close()


def test_the_change_log_is_cut_and_trimmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "LOG_LENGTH", 100)
    monkeypatch.setattr(store_module, "_TRIMMED_AT_ONCE", 50)
    store = opened(tmp_path / "state.db")
    for seq in range(1, 401):
        store.stage([Publish("movie.status", {"n": seq}, seq)])
        store.commit()
    assert store.changes(0, 10) == ([], True)
    changes, trimmed = store.changes(390, 100)
    assert [change.seq for change in changes] == list(range(391, 401))
    assert not trimmed
    (kept,) = sqlite3.connect(tmp_path / "state.db").execute("SELECT count(*) FROM changes").fetchone()
    assert 100 <= kept <= 150
    store.stage([CutLog(401), Publish("movie.status", {"n": 402}, 402)])
    store.commit()
    assert store.changes(400, 10) == ([], True)
    assert [change.seq for change in store.changes(401, 10)[0]] == [402]
    assert store.changes(500, 10) == ([], True), "a client from a later life of the log needs a snapshot"
    store.close()


def test_changes_come_in_pages_that_fit_a_frame(tmp_path: Path) -> None:
    store = opened(tmp_path / "state.db")
    store.stage([Publish("movie.status", {"text": "x" * 100_000}, seq) for seq in range(1, 31)])
    store.commit()
    since, pages = 0, 0
    while since < 30:
        changes, trimmed = store.changes(since, 500)
        assert not trimmed
        assert sum(len(change.body["text"]) for change in changes) < 1024 * 1024
        assert changes[0].seq == since + 1
        since, pages = changes[-1].seq, pages + 1
    assert pages == 4
    store.close()


def test_what_is_no_state_of_ours_is_refused_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    opened(path).close()
    whole = path.read_bytes()
    for content, problem in (
        (b"", "is empty"),
        (b"not a database at all" * 100, "not a database"),
        (whole[:4096], "malformed"),
        (whole[:2000] + b"\xff" * (len(whole) - 2000), "malformed|cannot be opened"),
    ):
        for leftover in tmp_path.glob("state.db-*"):
            leftover.unlink()
        path.write_bytes(content)
        with pytest.raises(StateError, match=problem) as refused:
            opened(path)
        assert str(path) in str(refused.value)
        assert path.read_bytes() == content, "it was left as it is"


def test_a_database_of_another_program_or_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE something (x)")
    other.commit()
    other.close()
    with pytest.raises(StateError, match="another program"):
        opened(path)
    path.unlink()
    opened(path).close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StateError, match=r"newer warpcore \(format 99\)"):
        opened(path)


def test_a_database_with_an_unreadable_row_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = opened(path)
    store.stage([SaveMovie(movie_row(movie(1)))])
    store.commit()
    store.close()
    direct = sqlite3.connect(path)
    direct.execute("UPDATE movies SET body = x'c1'")
    direct.commit()
    direct.close()
    store = opened(path)
    where = {"data_directory": "/data", "processing_directory": str(tmp_path)}
    with pytest.raises(StateError, match=r"state\.db cannot be read, it is damaged"), store.errors("read"):
        restore(store.load(), now=0.0, wall=0.0, **where)
    store.close()


def test_a_database_belongs_to_its_data_directory_but_may_be_moved_with_its_processing_directory(
    tmp_path: Path,
) -> None:
    first = tmp_path / "p1"
    first.mkdir()
    opened(first / "state.db").close()
    with pytest.raises(StateError, match="belongs to data directory /data, not /other"):
        opened(first / "state.db", data="/other")
    first.rename(tmp_path / "p2")
    opened(tmp_path / "p2" / "state.db").close()
    elsewhere = tmp_path / "elsewhere.db"
    Store(elsewhere, data_directory="/data", processing_directory=str(tmp_path / "p2")).close()
    with pytest.raises(StateError, match="belongs to processing directory"):
        Store(elsewhere, data_directory="/data", processing_directory=str(tmp_path / "p3"))


def test_a_lost_database_beside_its_log_is_not_silently_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    (tmp_path / "state.db-wal").write_bytes(b"something")
    with pytest.raises(StateError, match="-wal file is not"):
        opened(path)


WRITE = """
import sys
from pathlib import Path
from warpcore.services.scheduler.core.effects import Publish, SaveMovie
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.rows import movie_row
from warpcore.services.scheduler.store.database import Store
path = Path(sys.argv[1])
store = Store(path, data_directory="/data", processing_directory=str(path.parent))
seq = store.head
while True:
    effects = []
    for _ in range(20):
        seq += 1
        row = movie_row(MovieRecord(seq, f"m{seq}", f"m{seq}.tif", 1, 1))
        effects += [SaveMovie(row), Publish("movie.added", {"n": seq}, seq)]
    store.stage(effects)
    store.commit()
    print(seq, flush=True)
"""


def test_killed_while_writing_it_has_whole_commits_and_all_that_were_said(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    said = 0
    for commits in (0, 3, 7, 12):
        process = subprocess.Popen([sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(commits):
            said = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        said = int(rest[-1]) if rest else said
        process.stdout.close()
        process.wait(10)
        copy = tmp_path / f"copy{commits}"
        copy.mkdir()
        for file in tmp_path.glob("state.db*"):
            shutil.copy(file, copy / file.name)
        if not (copy / "state.db").exists():
            assert commits == 0
            continue
        store = opened(copy / "state.db")
        stored = store.load()
        assert len(list(stored.movies)) == stored.seq >= said
        assert stored.seq % 20 == 0
        assert [change.seq for change in store.changes(0, 5000)[0]] == list(range(1, stored.seq + 1))
        store.close()
