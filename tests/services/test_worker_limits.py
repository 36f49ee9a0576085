"""A worker judges anew what it is told to read: by a scheduler of an older version, or by one that is not honest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from warpcore.bus.messages import AssignTask, LookAtFolders
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import within
from warpcore.services.session.path_map import PathMap
from warpcore.services.session.settings import parse_settings
from warpcore.services.worker import pipeline
from warpcore.services.worker.failures import TaskError, classify
from warpcore.services.worker.limits import WITHIN, allowed_for
from warpcore.services.worker.seeing import sees
from warpcore.services.worker.steps.motion import _unweighted

SECRET = "root:x:0:0:SECRET"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with one movie, a folder of gains, and another lab's movie beside them."""
    folder = tmp_path / "data"
    for name in ("data", "gains", "other", "processing"):
        (tmp_path / name).mkdir()
    for path in (folder / "a.tif", tmp_path / "other/b.tif"):
        tifffile.imwrite(path, np.ones((3, 32, 32), np.uint8), photometric="minisblack", metadata=None)
    write_mrc(tmp_path / "gains/gain.mrc", np.ones((32, 32), np.float32), 1.0)
    (tmp_path / "other/secret.txt").write_text(SECRET)
    return folder


def task(data: Path, path: str = "a.tif", settings: dict[str, Any] | None = None, **fields: Any) -> AssignTask:
    movie = data / path
    found = movie.stat() if movie.exists() else None
    known = {
        "lease": 1,
        "purpose": "process",
        "name": Path(path).stem,
        "path": path,
        "size": found.st_size if found else 1,
        "mtime_ns": found.st_mtime_ns if found else 1,
        "run": ["motion"],
        "wanted": {},
        "settings": parse_settings({"import": {"pixel_size": 1.0, **(settings or {})}}).to_dict(),
        "results": {},
        "data_directory": str(data),
        "processing_directory": str(data.parent / "processing"),
    }
    return AssignTask(**{**known, **fields})


def failure(assigned: AssignTask) -> TaskError:
    with pytest.raises((ValueError, TaskError, OSError)) as raised:
        pipeline.load(assigned, lambda step, fraction, message="": None)
    failed = classify(raised.value, "load")
    assert SECRET not in failed.message
    return failed


def test_a_movie_and_its_gain_in_the_sessions_folders_are_read(data: Path) -> None:
    gains = data.parent / "gains"
    given = task(data, settings={"gain_path": str(gains / "gain.mrc")}, references=[str(gains)])
    assert pipeline.load(given, lambda step, fraction, message="": None).task is given


def test_a_link_to_another_labs_movie_is_followed_only_where_the_session_says_so(data: Path) -> None:
    (data / "link.tif").symlink_to("../other/b.tif")
    (data / "folder").symlink_to("../other")
    for path in ("link.tif", "folder/b.tif"):
        failed = failure(task(data, path))
        assert (failed.kind, "is a link out of the data directory" in failed.message) == (FailureKind.INPUT, True)
        pipeline.load(task(data, path, follow_links=True), lambda step, fraction, message="": None)


@pytest.mark.parametrize("path", ["../other/b.tif", "/etc/passwd", "x/../../other/b.tif"])
def test_a_path_out_of_the_data_directory_is_none(data: Path, path: str) -> None:
    assert "is not a path inside" in failure(task(data, path)).message


@pytest.mark.parametrize("references", [[], ["/"], ["/etc"]])
def test_no_scheduler_makes_a_worker_read_a_file_of_the_system(data: Path, references: list[str]) -> None:
    for name, value in (("defects_path", "/etc/passwd"), ("gain_path", "/etc/shadow")):
        failed = failure(task(data, settings={name: value}, references=references, follow_links=True))
        assert "belongs to the operating system" in failed.message


def test_a_text_is_no_list_of_defects_and_nothing_of_it_is_told(data: Path) -> None:
    """The first bytes of a linked file stood in the failure's text."""
    secret = data.parent / "other/secret.txt"
    assert "no folder that this session may read" in failure(task(data, settings={"defects_path": str(secret)})).message
    told = failure(task(data, settings={"defects_path": str(secret)}, references=[str(secret.parent)])).message
    assert "an unknown word" in told
    (data / "text.tif").write_text(SECRET * 9)
    assert "is no TIFF" in failure(task(data, "text.tif")).message


def test_results_of_before_name_no_file_elsewhere(data: Path) -> None:
    """The sum without dose weighting of an imported average is named by an absolute path."""
    elsewhere = data.parent / "elsewhere.mrc"
    elsewhere.write_text(SECRET)
    with within(allowed_for(task(data))), pytest.raises(InputError, match="no folder that this session may read"):
        _unweighted(elsewhere, (32, 32))


def test_a_worker_that_is_limited_works_nowhere_else(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gains = data.parent / "gains"
    given = task(data, settings={"gain_path": str(gains / "gain.mrc")}, references=[str(gains)])
    monkeypatch.setenv(WITHIN, os.pathsep.join([str(data), str(data.parent / "processing")]))
    assert "no folder that this session may read" in failure(given).message
    pipeline.load(task(data), lambda step, fraction, message="": None)
    elsewhere = failure(task(data, processing_directory=str(data.parent / "other")))
    assert (elsewhere.kind, "--within" in elsewhere.message) == (FailureKind.STORAGE_AWAY, True)
    asked = LookAtFolders(str(data.parent / "other"), str(data), "a.tif")
    assert "--within" in sees("w", asked).problem


def test_looks_at_folders_tell_nothing_of_other_files(data: Path) -> None:
    processing = data.parent / "processing"
    (processing / ".warpcore").mkdir()
    (processing / ".warpcore/token").symlink_to(data.parent / "other/secret.txt")
    assert sees("w", LookAtFolders(str(processing), str(data), "a.tif")).token == ""
    for movie in ("../other/b.tif", "/etc/passwd"):
        seen = sees("w", LookAtFolders(str(processing), str(data), movie))
        assert (seen.size, "is not a path inside" in seen.problem) == (None, True)
    assert "operating system" in sees("w", LookAtFolders("/etc", str(data), "")).problem


def test_limits_hold_where_this_host_sees_the_folders(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskError, match=r"/etc.* belongs to the operating system"):
        allowed_for(task(data), PathMap.of([f"{data.parent}=/etc"]))
    monkeypatch.setenv(WITHIN, "/elsewhere")
    assert "/elsewhere/data" in allowed_for(task(data), PathMap.of([f"{data.parent}=/elsewhere"])).folders
    question = LookAtFolders(str(data.parent / "results"), str(data), references=["/shadow/gain.mrc"])
    seen = sees("w", question, PathMap.of([f"{data.parent}=/elsewhere"]))
    assert seen.problem == "/shadow is not below /elsewhere, to which this worker is limited (--within)"
    assert not seen.references
