"""A worker tells storage that is full or away from a movie that is bad."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.services.faulty_folder import faulty_folder, needs_fuse
from warpcore.bus.messages import AssignTask, LookAtFolders, WorkerSees
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import Settings
from warpcore.services.worker import pipeline
from warpcore.services.worker.failures import TaskError, classify
from warpcore.services.worker.seeing import sees


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(folder / name, np.ones((3, 32, 32), np.uint8), photometric="minisblack", metadata=None)
    return folder


def failure(data: Path, name: str = "a", settings: Settings | None = None, size: int = 1) -> TaskError:
    """What becomes of loading a movie that fails."""
    task = AssignTask(
        *(1, "process", name, f"{name}.tif", size, 1, ["motion"], {}, (settings or Settings()).to_dict(), {}),
        *(str(data), str(data.parent / "processing")),
        references=[str(data.parent)],
        follow_links=True,
    )
    with pytest.raises((InputError, TaskError, OSError)) as caught:
        pipeline.load(task, lambda step, fraction, message="": None)
    return classify(caught.value, "load")


def hidden(number: int) -> InputError:
    """What a reader makes of an error of the file system."""
    try:
        try:
            raise OSError(number, "in words", "/data/a.tif")
        except OSError:
            raise InputError("/data/a.tif: cannot be read") from None
    except InputError as error:
        return error


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (OSError(errno.ENOSPC, "No space left", "/p/x"), "disk_full", "disk full on /p/x: No space left"),
        (OSError(errno.EDQUOT, "Quota exceeded"), "disk_full", "disk full: Quota exceeded"),
        (OSError(errno.EIO, "I/O error"), "storage_away", "storage is away: I/O error"),
        (hidden(errno.ESTALE), "storage_away", "storage is away: /data/a.tif: cannot be read"),
        (hidden(errno.EACCES), "input", "/data/a.tif: cannot be read"),
        (OSError(errno.EMFILE, "Too many open files"), "resource", "[Errno 24] Too many open files"),
    ],
)
def test_an_error_of_the_storage_is_never_one_of_the_movie(error: Exception, kind: str, text: str) -> None:
    failed = classify(error, "write")
    assert (failed.kind, failed.message) == (kind, text)


def test_a_movie_that_is_gone_from_a_data_directory_that_is_there_is_bad_input(data: Path) -> None:
    failed = failure(data, "c")
    assert (failed.kind, failed.message) == (FailureKind.INPUT, f"{data}/c.tif: the file is gone")


@pytest.mark.parametrize("leave_mount_point", [True, False])
def test_a_movie_of_a_data_directory_that_is_away_waits_for_it(data: Path, leave_mount_point: bool) -> None:
    shutil.rmtree(data)
    if leave_mount_point:
        data.mkdir()
    failed = failure(data)
    assert failed.kind == FailureKind.STORAGE_AWAY
    assert failed.message.startswith(str(data))


def test_a_gain_that_this_host_does_not_see_is_the_hosts_fault(data: Path) -> None:
    settings = Settings.model_validate({"import": {"gain_path": str(data / "gain.mrc"), "pixel_size": 1.1}})
    found = (data / "a.tif").stat()
    task = AssignTask(
        *(1, "process", "a", "a.tif", found.st_size, found.st_mtime_ns, ["motion"], {}, settings.to_dict(), {}),
        *(str(data), str(data.parent / "processing")),
        references=[str(data.parent)],
        follow_links=True,
    )
    with pytest.raises(TaskError) as caught:
        pipeline.load(task, lambda step, fraction, message="": None)
    assert caught.value.kind == FailureKind.STORAGE_AWAY
    assert "gain.mrc: cannot be read (No such file or directory)" in caught.value.message


@needs_fuse
def test_a_movie_on_another_file_system_than_before_waits_for_its_own(
    data: Path, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    """A sub-folder of the data directory that is a mount of its own."""
    with faulty_folder(tmp_path / "faulty") as mounted:
        (data / "grid").symlink_to(mounted.path)
        shutil.copy(data / "a.tif", mounted.backing / "a.tif")
        assert "changed since it was registered" in failure(data, "grid/a").message
    (mounted.path / "left behind").touch()
    failed = failure(data, "grid/a")
    assert (failed.kind, failed.message) == (
        FailureKind.STORAGE_AWAY,
        f"another file system lies at {data}/grid than before",
    )


def test_a_worker_shows_the_token_and_the_movie_or_what_keeps_it_from_that(data: Path, tmp_path: Path) -> None:
    processing = tmp_path / "processing"
    question = LookAtFolders(str(processing), str(data), "a.tif")
    found = (data / "a.tif").stat()
    assert sees("w", question) == WorkerSees("w", "", "a.tif", found.st_size, found.st_mtime_ns)
    (processing / ".warpcore").mkdir(parents=True)
    (processing / ".warpcore" / "token").write_text("a1")
    assert sees("w", question) == WorkerSees("w", "a1", "a.tif", found.st_size, found.st_mtime_ns)
    shutil.rmtree(data)
    assert sees("w", question) == WorkerSees("w", "a1", "a.tif", None, None)
    assert not data.exists(), "nothing is ever made in the data directory"
