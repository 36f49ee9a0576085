"""Log files: bounded, and a disk that is full or hangs holds nobody up."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from warpcore.cli import log_files
from warpcore.cli.children import Child
from warpcore.cli.log_files import LOG_GENERATIONS, MOST_WAITING, LogFile
from warpcore.services.process.logs import LogFormat

Wait = Callable[..., None]


def test_files_are_bounded_in_size_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "LOG_BYTES", 1000)
    log = LogFile(tmp_path / "logs" / "a.log")
    for number in range(500):
        log.write(f"line {number}")
    log.close(120)
    files = sorted((tmp_path / "logs").iterdir())
    assert len(files) == 1 + LOG_GENERATIONS
    assert all(0 < file.stat().st_size <= 1000 for file in files)
    assert (tmp_path / "logs" / "a.log").read_text().splitlines()[-1] == "line 499"


def test_lines_are_lost_while_the_disk_is_full_and_the_file_says_how_many(tmp_path: Path, wait_until: Wait) -> None:
    path = tmp_path / "a.log"
    path.symlink_to("/dev/full")
    log = LogFile(path)
    for number in range(3):
        log.write(f"lost {number}")
    wait_until(lambda: log.lost == 3, what="lines that the disk did not take")
    path.unlink()
    log.write("there")
    log.close(120)
    assert path.read_text().splitlines() == ["3 lines are missing here: the disk did not take them", "there"]


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    log = LogFile(tmp_path / "file" / "a.log")
    log.write("lost")
    log.close(120)
    assert log.lost == 1


def test_a_disk_that_hangs_holds_up_neither_the_service_nor_up(tmp_path: Path, wait_until: Wait) -> None:
    """A pipe that nobody reads hangs whoever opens it."""
    os.mkfifo(tmp_path / "service.log")
    lines: list[str] = []
    count = 2 * MOST_WAITING
    code = f"for number in range({count}): print(number, 'x' * 100)"
    child = Child([sys.executable, "-c", code], {}, tmp_path / "service.log", lines.append)
    wait_until(lambda: child.poll() == 0, 30, "a service that has printed all")
    wait_until(lambda: len(lines) == count, 30, "all that it has printed")


def test_every_line_of_a_service_that_logs_json_is_an_object(tmp_path: Path, wait_until: Wait) -> None:
    code = """
import logging
from warpcore.services.process.logs import LogFormat, log_to_stderr
log_to_stderr(LogFormat.JSON)
print('a library says "this"', flush=True)
logging.getLogger("its.name").error("failed", extra={"movie": "a"})
"""
    lines: list[str] = []
    log_file = tmp_path / "tracker.log"
    child = Child([sys.executable, "-c", code], {}, log_file, lines.append, LogFormat.JSON)
    wait_until(lambda: child.poll() == 0 and len(lines) == 2, 30)
    wait_until(lambda: log_file.exists() and log_file.read_text().splitlines() == lines, what="them in the log")
    told = [json.loads(line) for line in lines]
    assert [(one["level"], one["logger"], one["message"], one.get("movie")) for one in told] == [
        ("info", "tracker", 'a library says "this"', None),
        ("error", "its.name", "failed", "a"),
    ]
