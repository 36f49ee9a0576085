"""What a session may read, judged by where files really lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from warpcore.services.session.allowed import Allowed, allowed_below, folders_of, is_below

ALLOWED = Allowed("/link", ("/data", "/results", "/gains"))


@pytest.mark.parametrize(
    ("path", "real", "why"),
    [
        ("/link/a.tif", "/data/a.tif", ""),
        ("/link/a.tif", "/gains/a.tif", ""),
        ("/results/picker/w.npz", "/results/picker/w.npz", ""),
        ("/elsewhere/gain.mrc", "/elsewhere/gain.mrc", "--references FOLDER"),
        ("/data2/a.tif", "/data2/a.tif", "--references FOLDER"),
        ("/link/a.tif", "/other/a.tif", "is a link out of the data directory"),
        ("/link/a.tif", "/etc/shadow", "belongs to the operating system"),
        ("/etc/passwd", "/etc/passwd", "belongs to the operating system"),
        ("/gains/x.mrc", "/proc/1/environ", "belongs to the operating system"),
        ("/gains/x.mrc", "/dev/zero", "belongs to the operating system"),
        ("/results/.warpcore/access/server.toml", "/results/.warpcore/access/server.toml", "warpcore alone"),
        ("/link/x/.warpcore/state.db", "/data/x/.warpcore/state.db", "warpcore alone"),
        ("/link/a.tif", "/other/.warpcore/state.db", "warpcore alone"),
    ],
)
@pytest.mark.parametrize("follow_links", [False, True])
def test_a_file_is_judged_by_where_it_lies(path: str, real: str, why: str, follow_links: bool) -> None:
    fault = Allowed(ALLOWED.home, ALLOWED.folders, follow_links).fault(path, real)
    if follow_links and "is a link out" in why:
        why = ""
    assert (why in fault) if why else fault == ""


def test_shared_memory_is_a_file_system_as_others_are() -> None:
    assert Allowed("/dev/shm/s/data", ("/dev/shm/s/data",)).fault("/dev/shm/s/data/a", "/dev/shm/s/data/a") == ""


def test_a_folder_that_is_named_inside_warpcores_own_is_allowed_and_no_other() -> None:
    """The results of a try are shown: they lie in a folder of their own there."""
    shown = Allowed("/p/.warpcore/tries/try-1", ("/p/.warpcore/tries/try-1",))
    assert shown.fault("/p/.warpcore/tries/try-1/a.png", "/p/.warpcore/tries/try-1/a.png") == ""
    assert shown.fault("/p/.warpcore/state.db", "/p/.warpcore/state.db") != ""


def test_directories_that_are_links_are_followed_once(tmp_path: Path) -> None:
    for name in ("mounted", "processing", "moved"):
        (tmp_path / name).mkdir()
    (tmp_path / "data").symlink_to("mounted")
    allowed = allowed_below(tmp_path / "data", tmp_path / "processing")
    (tmp_path / "data").unlink()
    (tmp_path / "data").symlink_to("moved")
    here = str(tmp_path)
    assert allowed.fault(f"{here}/data/a", f"{here}/mounted/a") == ""
    assert "is a link out" in allowed.fault(f"{here}/data/a", f"{here}/moved/a")


def test_whoever_names_a_file_of_warpcores_own_opens_no_folder_of_it(tmp_path: Path) -> None:
    """Neither by its name nor by a link, as where `up --set` names a key of another session."""
    key = tmp_path / "other" / ".warpcore" / "access" / "server.toml"
    key.parent.mkdir(parents=True)
    key.touch()
    link = tmp_path / "gain.mrc"
    link.symlink_to(key)
    named = [*folders_of(map(str, (key, link))), key.parent]
    allowed = allowed_below(tmp_path / "data", tmp_path / "processing", named)
    for path in (key, link):
        assert "warpcore alone" in allowed.fault(str(path), str(key))


def test_whoever_names_a_file_that_is_a_link_allows_both_folders(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "gain.mrc").symlink_to("archive/today.mrc")
    assert folders_of([str(tmp_path / "gain.mrc")]) == [str(tmp_path), os.path.realpath(tmp_path / "archive")]


def test_below_is_not_a_matter_of_letters() -> None:
    assert is_below("/a/b", "/a")
    assert is_below("/a", "/a")
    assert is_below("/a", "/")
    assert not is_below("/ab", "/a")
