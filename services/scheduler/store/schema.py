"""The tables of the scheduler's database, and the ladder that brings one of an earlier format up to today's.

Whoever changes `SCHEMA` adds a rung at the end of `LADDER`, and first keeps a database of the format before
(`tests/services/fixtures`).
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

import msgpack

from warpcore.services.scheduler.store.backups import copy, upgrade_backup
from warpcore.services.session.paths import create_empty, flush

APPLICATION_ID = 0x57435344

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE movies (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE tasks (lease INTEGER PRIMARY KEY, movie INTEGER NOT NULL UNIQUE REFERENCES movies (id),
    body BLOB NOT NULL);
CREATE TABLE settings (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL, revision INTEGER NOT NULL,
    identity TEXT NOT NULL, migration TEXT NOT NULL DEFAULT '', set_aside TEXT NOT NULL DEFAULT '{}');
CREATE TABLE bans (worker TEXT PRIMARY KEY, instance TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE exports (number INTEGER PRIMARY KEY, job TEXT NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE export_movies (job TEXT NOT NULL, movie INTEGER NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (job, movie)) WITHOUT ROWID;
CREATE TABLE choices (key TEXT PRIMARY KEY, step TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE selections (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE hand_picks (movie INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE tries (number INTEGER PRIMARY KEY, movie INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE profiles (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE pools (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE settings_history (revision INTEGER PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL, changed TEXT NOT NULL);
CREATE TABLE audit (id INTEGER PRIMARY KEY, at REAL NOT NULL, user TEXT NOT NULL, by TEXT NOT NULL,
    via TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL, outcome TEXT NOT NULL);
CREATE INDEX audit_by_outcome ON audit (outcome, id);
CREATE TABLE changes (seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, body BLOB NOT NULL);
"""


class StateError(Exception):
    """The state cannot be read or written; the text is one line with the path and what to do."""


class DamageError(StateError):
    """The database is damaged."""


def _from_1_to_2(db: sqlite3.Connection) -> None:
    """A lease has one state in place of two marks; settings remember their migrations, and what was set aside."""
    db.execute("ALTER TABLE settings ADD COLUMN migration TEXT NOT NULL DEFAULT ''")
    db.execute("ALTER TABLE settings ADD COLUMN set_aside TEXT NOT NULL DEFAULT '{}'")
    for lease, movie, packed in db.execute("SELECT lease, movie, body FROM tasks").fetchall():
        body = msgpack.unpackb(packed)
        begun, committed = body.pop("begun", False), body.pop("committed", False)
        body["state"] = "committed" if committed else "begun" if begun else "assigned"
        db.execute("UPDATE tasks SET body = ? WHERE lease = ?", (msgpack.packb(body), lease))
        if committed:  # what is committed has begun
            db.execute("UPDATE movies SET status = 'processing' WHERE id = ? AND status = 'queued'", (movie,))


def _from_2_to_3(db: sqlite3.Connection) -> None:
    """Steps learn from the session's first movies."""
    db.execute("CREATE TABLE choices (key TEXT PRIMARY KEY, step TEXT NOT NULL, body BLOB NOT NULL) WITHOUT ROWID")


def _from_3_to_4(db: sqlite3.Connection) -> None:
    """Selections can be taken back, users order movies and edit picks; tries, profiles, history of settings, alarms.

    Who paused is known: before, it was a person.
    """
    db.execute("INSERT INTO meta VALUES ('order', 'normal')")
    db.execute("UPDATE meta SET value = CASE value WHEN 0 THEN '' ELSE 'person' END WHERE key = 'paused'")
    db.execute("INSERT INTO meta VALUES ('alarms', '[]')")
    db.execute("CREATE TABLE selections (number INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    db.execute("CREATE TABLE hand_picks (movie INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    db.execute("CREATE TABLE tries (number INTEGER PRIMARY KEY, movie INTEGER NOT NULL, body BLOB NOT NULL)")
    db.execute("CREATE TABLE profiles (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID")
    db.execute(
        "CREATE TABLE settings_history "
        "(revision INTEGER PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL, changed TEXT NOT NULL)"
    )


def _from_4_to_5(db: sqlite3.Connection) -> None:
    """The scheduler alone places outputs. How far a worker came that might, nobody knows: its steps run again.

    Lines of a movie's story may name worker, lease and step. A forgotten movie's number is not given again.
    """
    db.execute("INSERT INTO meta VALUES ('last_movie', 0)")
    for lease, movie, packed in db.execute("SELECT lease, movie, body FROM tasks").fetchall():
        body = msgpack.unpackb(packed)
        if body.get("state") != "committed":
            continue
        body["state"] = "begun"
        db.execute("UPDATE tasks SET body = ? WHERE lease = ?", (msgpack.packb(body), lease))
        if body.get("purpose") != "process":
            continue
        (packed_movie,) = db.execute("SELECT body FROM movies WHERE id = ?", (movie,)).fetchone()
        record = msgpack.unpackb(packed_movie, strict_map_key=False)
        made = record.get("fingerprints", {})
        record["fingerprints"] = {step: one for step, one in made.items() if step not in body.get("run", [])}
        db.execute("UPDATE movies SET body = ? WHERE id = ?", (msgpack.packb(record), movie))


def _from_5_to_6(db: sqlite3.Connection) -> None:
    """A movie's body may hold what its header and metadata say. Nobody has looked for movies of before: nothing to do.

    What they were processed with stands in the stored settings, so that their results stay. Optics groups have numbers,
    and each export job has a folder and a number that is never given again.
    """
    db.execute("INSERT INTO meta VALUES ('last_optics_group', 0)")
    _give_exports_folders(db)


def _give_exports_folders(db: sqlite3.Connection) -> None:
    """A job that has ended gets none: its files lie, and stay, among the session's own.

    One that has not ended begins again, in its folder; what a worker still makes of it would name files elsewhere.
    """
    db.execute("INSERT INTO meta SELECT 'last_export', COALESCE(MAX(number), 0) FROM exports")
    for number, job, packed in db.execute("SELECT number, job, body FROM exports").fetchall():
        body = msgpack.unpackb(packed)
        if body.get("state") not in ("running", "collecting"):
            db.execute("UPDATE export_movies SET state = 'dropped' WHERE job = ? AND state = 'running'", (job,))
            continue
        top = {"particles": "particles", "micrographs": "exports"}[body["kind"]]
        body |= {"state": "running", "folder": f"{top}/job-{number}", "particles": None, "particles_at_edge": None}
        db.execute("UPDATE exports SET body = ? WHERE job = ?", (msgpack.packb(body), job))
        again = "UPDATE export_movies SET state = 'pending', body = ? WHERE job = ? AND state IN ('running', 'done')"
        db.execute(again, (msgpack.packb({}), job))
    for lease, packed in db.execute("SELECT lease, body FROM tasks").fetchall():
        purpose = msgpack.unpackb(packed).get("purpose", "process")
        if purpose != "process" and not purpose.startswith("try-"):
            db.execute("DELETE FROM tasks WHERE lease = ?", (lease,))


def _from_6_to_7(db: sqlite3.Connection) -> None:
    """Who changed what is written down from now on."""
    db.execute(
        "CREATE TABLE audit (id INTEGER PRIMARY KEY, at REAL NOT NULL, user TEXT NOT NULL, by TEXT NOT NULL, "
        "via TEXT NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL, outcome TEXT NOT NULL)"
    )
    db.execute("CREATE INDEX audit_by_outcome ON audit (outcome, id)")


def _from_7_to_8(db: sqlite3.Connection) -> None:
    """Pools are known, with the limits that persons set."""
    db.execute("CREATE TABLE pools (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID")


LADDER: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _from_1_to_2,
    _from_2_to_3,
    _from_3_to_4,
    _from_4_to_5,
    _from_5_to_6,
    _from_6_to_7,
    _from_7_to_8,
)
"""The rung at index n brings format n + 1 to format n + 2."""

FORMAT = len(LADDER) + 1
"""The format that this version writes; SQLite keeps it as `user_version`."""


def create(path: Path, data_directory: str, processing_directory: str) -> None:
    """Make a new database, under another name first: it is either whole or absent."""
    if path.with_name(f"{path.name}-wal").exists():
        raise StateError(f"{path} is gone but its -wal file is not: put both back, or remove it to begin anew")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    temporary.unlink(missing_ok=True)
    create_empty(temporary)
    made = sqlite3.connect(temporary, isolation_level=None)
    try:
        made.execute("PRAGMA synchronous = FULL")
        fill(made, data_directory, processing_directory)
    finally:
        made.close()
    flush(temporary)
    temporary.replace(path)


def fill(db: sqlite3.Connection, data_directory: str, processing_directory: str) -> None:
    """Write the state of a session that has just begun into an empty database."""
    meta = {
        "epoch": uuid.uuid4().hex,
        "seq": 0,
        "floor": 0,
        "lease": 0,
        "last_movie": 0,
        "last_export": 0,
        "last_optics_group": 0,
        "last_modified": 0.0,
        "paused": "",
        "order": "normal",
        "alarms": "[]",
        "data_directory": data_directory,
        "processing_directory": processing_directory,
    }
    db.execute("BEGIN")
    for statement in SCHEMA.split(";\n"):
        db.execute(statement)
    db.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {FORMAT}")
    db.execute("COMMIT")


def check(db: sqlite3.Connection, path: Path, data_directory: str, processing_directory: str) -> int:
    """The format of a database that is ours and of this session. Raises StateError for any other."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StateError(f"{path} is a database of another program; move it away or give another --state")
    if version > FORMAT:
        newer = f"{path} was written by a newer warpcore (format {version}); use that version"
        raise StateError(f"{newer}{_way_back(path)}")
    meta = dict(db.execute("SELECT key, value FROM meta"))
    for name, given in (("data", data_directory), ("processing", processing_directory)):
        begun_with = meta[f"{name}_directory"]
        if name == "processing" and path.is_relative_to(given):
            continue  # a processing directory may be moved with the state in it
        if begun_with != given:
            raise StateError(
                f"{path} belongs to {name} directory {begun_with}, not {given}: "
                f"give --{name} {begun_with}, or another --processing directory"
            )
    return int(version)


def _way_back(path: Path) -> str:
    """How to go on with this version after all, "" where no upgrade has left a backup that it can read."""
    for version in range(FORMAT, 0, -1):
        backup = upgrade_backup(path, version)
        if backup.exists():
            return f"; or move it away and put {backup} there, which is the state of before the upgrade"
    return ""


def climb(db: sqlite3.Connection, path: Path, version: int) -> None:
    """Bring a database to today's format, each rung in one transaction; it is backed up before."""
    if version < FORMAT:
        copy(db, upgrade_backup(path, version))
    for reached, rung in enumerate(LADDER[version - 1 :], start=version + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            rung(db)
            db.execute(f"PRAGMA user_version = {reached}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
