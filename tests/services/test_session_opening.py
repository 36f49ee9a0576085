"""Files are opened without waiting, regular ones alone, and are judged once more when they are open."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from warpcore.services.session import opening
from warpcore.services.session.allowed import allowed_below
from warpcore.services.session.opening import RefusedFileError, check_file, open_file, read_bytes, within


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.txt").write_text("mine")
    (tmp_path / "secret").write_text("root:x:0:0")
    return folder


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path))  # an address is short


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (Path.mkdir, "is a folder"),
        (os.mkfifo, "is a pipe, socket or device"),
        (_socket, "is a pipe, socket or device"),
        (lambda path: path.symlink_to("/dev/zero"), "is a pipe, socket or device"),
    ],
)
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None], kind: str) -> None:
    """A pipe without a writer would wait for ever."""
    make(tmp_path / "x")
    for read in (open_file, check_file, lambda path: read_bytes(path, 9)):
        with pytest.raises(RefusedFileError, match=kind):
            read(tmp_path / "x")


def test_nothing_limits_a_person_at_the_command_line(data: Path) -> None:
    with open_file(data.parent / "secret") as file:
        assert file.read() == b"root:x:0:0"


def test_only_what_is_allowed_is_opened(data: Path) -> None:
    (data / "link.txt").symlink_to("../secret")
    with within(allowed_below(data, data)):
        assert read_bytes(data / "a.txt", 10) == b"mine"
        for path in (data / "link.txt", data.parent / "secret", data / "../secret"):
            with pytest.raises(RefusedFileError) as refused:
                open_file(path)
            assert "root:x" not in str(refused.value)
    with within(allowed_below(data, data, follow_links=True)), open_file(data / "link.txt") as file:
        assert file.read() == b"root:x:0:0"


def test_a_refused_file_is_not_even_looked_at(data: Path) -> None:
    """Else the answer would tell which files there are."""
    with within(allowed_below(data, data)):
        texts = []
        for name in ("secret", "nothing"):
            with pytest.raises(RefusedFileError) as refused:
                check_file(data.parent / name)
            texts.append(str(refused.value).replace(name, "x"))
    assert texts[0] == texts[1]


def test_a_link_that_is_put_in_place_between_check_and_opening_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped(path: Path) -> os.stat_result:
        found = check_file(path)
        path.unlink()
        path.symlink_to("../secret")
        return found

    monkeypatch.setattr(opening, "check_file", swapped)
    with within(allowed_below(data, data)), pytest.raises(RefusedFileError, match="link out of the data directory"):
        open_file(data / "a.txt")


def test_nothing_of_a_secret_is_read_while_links_change_all_the_time(data: Path) -> None:
    """A hostile user of the data directory swaps a file and a link as fast as he can."""
    stop, own, link = threading.Event(), data.parent / "own", data.parent / "link"

    def swap() -> None:
        while not stop.is_set():
            own.write_text("mine")
            os.replace(own, data / "a.txt")
            link.symlink_to(data.parent / "secret")
            os.replace(link, data / "a.txt")

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen, refused = set(), 0
    try:
        with within(allowed_below(data, data)):
            while refused < 300 or b"mine" not in seen:
                try:
                    with open_file(data / "a.txt") as file:
                        seen.add(file.read())
                except RefusedFileError:
                    refused += 1
    finally:
        stop.set()
        swapping.join()
    assert seen == {b"mine"}


def test_a_large_file_is_not_read_into_memory(tmp_path: Path) -> None:
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", 1 << 40)
    with pytest.raises(RefusedFileError, match="more than 100 bytes"):
        read_bytes(tmp_path / "sparse", 100)


def test_no_descriptor_is_left_open(data: Path) -> None:
    (data / "link.txt").symlink_to("../secret")
    with within(allowed_below(data, data)):
        for _ in range(20):
            with pytest.raises(RefusedFileError):
                open_file(data / "link.txt")
    assert open_below(data.parent) == []


def open_below(folder: Path) -> list[str]:
    """What this process has open there."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # another thread has closed it
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return [path for path in found if path.startswith(str(folder))]
