"""Several users on one host: what belongs to one is changed by no other."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from warpcore.services.process.private import not_private
from warpcore.services.session import file_operations as do
from warpcore.services.session.disk_files import DiskFiles

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of other users")
NOBODY = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_that_was_missing_is_this_users_alone(tmp_path: Path) -> None:
    assert not_private(tmp_path / "cache") == ""
    assert mode(tmp_path / "cache") == 0o700


def test_a_folder_that_cannot_be_made_is_not_used() -> None:
    """A node of a cluster may have no home, or one that is read-only: a worker goes on without a cache."""
    folder = Path("/proc/no-home/.cache")
    assert not_private(folder) == f"{folder} cannot be made (No such file or directory)"


def test_a_folder_that_others_could_write_is_closed(tmp_path: Path) -> None:
    """Compiled kernels that another user could put there would run as this one."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    assert not_private(tmp_path / "cache") == ""
    assert mode(tmp_path / "cache") == 0o755


@needs_root
def test_a_folder_of_another_user_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    os.chown(tmp_path / "cache", NOBODY, NOBODY)
    assert "belongs to another user" in not_private(tmp_path / "cache")


@needs_root
def test_nothing_is_written_through_a_link_of_another_user(tmp_path: Path) -> None:
    """In a processing directory that a group may write, one of it could have results written anywhere."""
    processing, elsewhere = tmp_path / "processing", tmp_path / "elsewhere"
    for folder in (processing / "staged", elsewhere):
        folder.mkdir(parents=True)
    (processing / "staged/a.mrc").write_text("pixels")
    (processing / "average").symlink_to(elsewhere)
    files = DiskFiles(processing)
    files.carry_out(do.Write("average/own.json", "{}", durable=False))
    os.chown(processing / "average", NOBODY, NOBODY, follow_symlinks=False)
    for operation in (
        do.Move("staged/a.mrc", "average/a.mrc"),
        do.Link("staged/a.mrc", "average/deeper/a.mrc"),
        do.Write("average/a.json", "{}", durable=False),
        do.MakeFolder("average/deeper"),
    ):
        with pytest.raises(PermissionError) as refused:
            files.carry_out(operation)
        assert (refused.value.errno, refused.value.filename) == (errno.EPERM, str(processing / "average"))
    assert [path.name for path in elsewhere.iterdir()] == ["own.json"]


@pytest.mark.parametrize(
    ("umask", "group", "expected"), [(0o022, False, 0o644), (0o022, True, 0o664), (0o027, False, 0o640)]
)
def test_what_is_written_follows_the_umask_or_may_be_changed_by_the_group(
    tmp_path: Path, umask: int, group: bool, expected: int
) -> None:
    """Databases too, so that one of the group can start the session; who may only read gets at none that is in use."""
    program = f"""
import os, time; os.umask({umask})
from pathlib import Path
from warpcore.services.pool.store import PoolStore
from warpcore.services.scheduler.store.backups import back_up
from warpcore.services.scheduler.store.database import Store
from warpcore.services.session.paths import let_group_write, write_text_whole
{"let_group_write()" if group else ""}
write_text_whole(Path("folder/list.star"), "x")
here = Path.cwd() / "folder"
store = Store(here / "state.db", data_directory="/data", processing_directory="/processing")
store._db.execute("UPDATE meta SET value = 1 WHERE key = 'lease'")  # makes -wal and -shm
back_up(here / "state.db", time.time())
PoolStore(here / "pool.db")
for path in (here, *here.rglob("*")):
    print(path.suffix or "folder", oct(path.stat().st_mode & 0o777))
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True)
    modes = {(suffix, int(found, 8)) for suffix, found in map(str.split, ran.stdout.splitlines())}
    in_use = 0o660 if group else 0o600
    files = {(".star", expected), (".db", expected)} | {(suffix, in_use) for suffix in (".db", ".db-wal", ".db-shm")}
    assert modes == files | {("folder", expected | (expected & 0o444) >> 2)}
