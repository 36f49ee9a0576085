"""Who may only read the files of a session's state can hold no lock of them, which would stop the session."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from warpcore.services.scheduler.shell.lock import Lock
from warpcore.services.scheduler.store.database import Store


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o600), (0o027, 0o600), (0o002, 0o660), (0o007, 0o660)])
def test_who_may_not_write_the_state_may_not_open_it(tmp_path: Path, umask: int, expected: int) -> None:
    """Also where a release before has made its files."""
    before = os.umask(umask)
    try:
        lock = Lock(tmp_path)
        lock.take()
        path = tmp_path / ".warpcore" / "state.db"
        for _ in range(2):
            store = Store(path, data_directory="/data", processing_directory=str(tmp_path))
            modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir() if one.is_file()}
            assert modes == dict.fromkeys(("lock", "state.db", "state.db-wal", "state.db-shm"), expected)
            store.close()
            path.chmod(path.stat().st_mode | 0o444)
        lock.release()
    finally:
        os.umask(before)
