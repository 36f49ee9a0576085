"""The sign of life of services without a port."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from warpcore.services.process.alive import VARIABLE, tell_alive


def test_the_file_is_new_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "alive"
    monkeypatch.setenv(VARIABLE, str(path))
    tell_alive()
    os.utime(path, (0, 0))
    tell_alive()
    assert path.stat().st_mtime > 0


def test_where_nobody_asks_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    tell_alive()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere" / "alive"))
    with caplog.at_level(logging.WARNING):
        tell_alive()
    assert "nowhere/alive: No such file or directory" in caplog.text
