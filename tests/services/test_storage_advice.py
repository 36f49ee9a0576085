"""A database on a network file system is told, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from warpcore.services.storage.mounts import database_advice

MOUNTS = [("/", "ext4"), ("/data", "nfs4"), ("/data/local", "xfs"), ("/databases", "ext4"), ("/home", "cifs")]


@pytest.mark.parametrize(("path", "kind"), [("/data/p/.warpcore/state.db", "nfs4"), ("/home/a/state.db", "cifs")])
def test_a_network_file_system_is_named(path: str, kind: str) -> None:
    assert f"({kind})" in database_advice(Path(path), MOUNTS)
    assert "--state FILE" in database_advice(Path(path), MOUNTS)


@pytest.mark.parametrize("path", ["/p/state.db", "/data/local/state.db", "/databases/state.db"])
def test_a_disk_of_this_host_is_fine(path: str) -> None:
    assert database_advice(Path(path), MOUNTS) == ""


def test_the_mounts_of_this_host_can_be_read(tmp_path: Path) -> None:
    assert database_advice(tmp_path / "state.db") == ""
    assert database_advice(tmp_path / "state.db", [(str(tmp_path), "nfs")])
