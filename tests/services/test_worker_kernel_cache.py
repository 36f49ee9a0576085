"""Compiled kernels that were cut short are found once, and whole ones are left alone."""

from __future__ import annotations

import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import pytest

from warpcore.services.worker.kernel_cache import CHECKED, drop_damaged

KERNEL = bytes(range(256)) * 40


@pytest.mark.parametrize(
    "packed", [zlib.compress(KERNEL), bytes(imagecodecs.zstd_encode(KERNEL))], ids=["zlib", "zstd"]
)
def test_an_entry_that_ends_too_early_goes(packed: bytes, tmp_path: Path) -> None:
    for length in range(len(packed) + 1):
        (tmp_path / f"{length}-cache").write_bytes(packed[:length])
    assert drop_damaged(tmp_path) >= len(packed) - len(b"\x28\xb5\x2f")
    assert (tmp_path / f"{len(packed)}-cache").exists()
    assert not (tmp_path / f"{len(packed) - 1}-cache").exists()
    assert not (tmp_path / "0-cache").exists()


def test_entries_are_checked_once_and_new_ones_at_the_next_start(tmp_path: Path) -> None:
    old, new = tmp_path / "old-cache", tmp_path / "new-cache"
    old.write_bytes(zlib.compress(KERNEL))
    assert drop_damaged(tmp_path) == 0
    checked = (tmp_path / CHECKED).stat().st_mtime
    for entry in (old, new):
        entry.write_bytes(zlib.compress(KERNEL)[:-1])
    os.utime(old, (checked - 3600, checked - 3600))
    assert drop_damaged(tmp_path) == 1
    assert old.exists()


def test_a_folder_that_cannot_be_read_only_warns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a-cache").mkdir()
    assert drop_damaged(tmp_path) == 0
    assert "could not be checked" in caplog.text


def test_workers_that_start_together_leave_each_other_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(200):
        (tmp_path / f"{number}-cache").write_bytes(zlib.compress(KERNEL)[:-1])
    with ThreadPoolExecutor(4) as workers:
        dropped = list(workers.map(lambda _: drop_damaged(tmp_path), range(4)))
    assert sum(dropped) == 200
    assert "could not be checked" not in caplog.text
