"""Scanning real folders: what counts, what does not, what cannot be read."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from warpcore.services.discoverer.listing import StoppedError, Watched, is_passing, list_files, look, output_folders
from warpcore.services.session.settings import ImportSettings

MOVIES = Watched(tuple(ImportSettings().patterns), recursive=False)
DEEP = Watched(tuple(ImportSettings().patterns), recursive=True)


def make(directory: Path, *paths: str) -> None:
    for path in paths:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(path.encode())


def names(directory: Path, watched: Watched = MOVIES) -> set[str]:
    return set(list_files(directory, watched).files)


def test_several_patterns_in_any_case_and_no_others(tmp_path: Path) -> None:
    make(tmp_path, "a.tif", "b.TIFF", "c.mrc", "d.mrcs", "e.eer", "f.txt", "g.tif.md5", "h.tifx")
    assert names(tmp_path) == {"a.tif", "b.TIFF", "c.mrc", "d.mrcs", "e.eer"}
    assert names(tmp_path, Watched(("[ab].*", "*.md5"), recursive=False)) == {"a.tif", "b.TIFF", "g.tif.md5"}


@pytest.mark.parametrize(
    "name",
    [
        ".a.tif",
        ".a.tif.Xy12Zw",
        "a.tif~",
        "a.tif.tmp",
        "a.tif.part",
        "a.tif.PARTIAL",
        "a.tif.filepart",
        "a.tif.crdownload",
    ],
)
def test_hidden_and_temporary_names_never_count(tmp_path: Path, name: str) -> None:
    make(tmp_path, name, "real.tif")
    assert names(tmp_path, Watched(("*",), recursive=False)) == {"real.tif"}
    assert is_passing(name)


def test_identity_is_size_and_mtime_in_ns(tmp_path: Path) -> None:
    make(tmp_path, "a.tif")
    os.utime(tmp_path / "a.tif", ns=(5, 123_456_789))
    assert list_files(tmp_path, MOVIES).files == {"a.tif": (5, 123_456_789)}
    allowed = MOVIES.allowed(tmp_path)
    assert look(tmp_path, "a.tif", allowed) == (5, 123_456_789)
    assert look(tmp_path, "none.tif", allowed) is None
    assert look(tmp_path, ".", allowed) is None


def test_sub_folders_count_only_where_recursive_and_equal_names_stay_apart(tmp_path: Path) -> None:
    make(tmp_path, "a.tif", "grid1/a.tif", "grid2/deep/a.tif", ".hidden/a.tif", "copy.part/a.tif", "folder.tif/a.tif")
    assert names(tmp_path) == {"a.tif"}
    assert names(tmp_path, DEEP) == {"a.tif", "grid1/a.tif", "grid2/deep/a.tif", "folder.tif/a.tif"}
    for path in ("a.tif", "grid2/deep/a.tif", ".hidden/a.tif", "copy.part/a.tif", "a.txt"):
        assert DEEP.holds(path) == (path in names(tmp_path, DEEP))
        assert MOVIES.holds(path) == (path in names(tmp_path))


def test_the_folders_that_epu_makes_are_looked_into_without_a_setting(tmp_path: Path) -> None:
    data = "Images-Disc1/GridSquare_7001/Data"
    own = {f"{data}/a.tif", "Images-Disc1/GridSquare_7001/b.mrc", "c.mrc"}
    make(tmp_path, *own, "Atlas/d.mrc", "Images-Disc1/x/e.mrc", f"{data}/more/f.tif", "other/GridSquare_1/Data/g.tif")
    assert names(tmp_path) == own
    assert MOVIES.holds(f"{data}/a.tif")
    assert MOVIES.holds_metadata(f"{data}/a.xml")
    assert not MOVIES.holds("other/g.tif")
    assert names(tmp_path, replace(MOVIES, excluded=frozenset({"Images-Disc1"}))) == {"c.mrc"}


def test_links_to_files_count_links_to_nothing_do_not(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/a.tif", "data/b.tif")
    data = tmp_path / "data"
    (data / "link.tif").symlink_to(tmp_path / "elsewhere/a.tif")
    (data / "broken.tif").symlink_to(tmp_path / "none.tif")
    os.mkfifo(data / "pipe.tif")
    assert names(data, replace(MOVIES, follow_links=True)) == {"b.tif", "link.tif"}


def test_links_out_of_the_data_directory_are_told_and_not_followed(tmp_path: Path) -> None:
    """A movie, a folder, another lab's file through `..`, and a link to a link; links within the directory count."""
    make(tmp_path, "other/a.tif", "other/x/b.tif", "data/c.tif", "data/sub/d.tif")
    data = tmp_path / "data"
    (data / "lab.tif").symlink_to(tmp_path / "other/a.tif")
    (data / "up.tif").symlink_to("../other/a.tif")
    (data / "twice.tif").symlink_to("up.tif")
    (data / "folder").symlink_to(tmp_path / "other/x")
    (data / "inside.tif").symlink_to("sub/d.tif")
    listing = list_files(data, DEEP)
    assert set(listing.files) == {"c.tif", "sub/d.tif", "inside.tif"}
    assert set(listing.unreadable) == {"lab.tif", "up.tif", "twice.tif", "folder"}
    assert all("start the session with --follow-links" in why for why in listing.unreadable.values())
    assert look(data, "lab.tif", DEEP.allowed(data)) is None
    assert look(data, "folder/b.tif", DEEP.allowed(data)) is None
    followed = replace(DEEP, follow_links=True)
    assert look(data, "lab.tif", followed.allowed(data)) is not None
    (data / "shadow.tif").symlink_to("/etc/passwd")
    assert "operating system" in list_files(data, followed).unreadable["shadow.tif"]


def test_a_data_directory_that_is_itself_a_link_is_as_any_other(tmp_path: Path) -> None:
    make(tmp_path, "mounted/a.tif", "mounted/grid/b.tif")
    (tmp_path / "data").symlink_to(tmp_path / "mounted")
    (tmp_path / "mounted/inside.tif").symlink_to(tmp_path / "data/grid/b.tif")
    assert names(tmp_path / "data", DEEP) == {"a.tif", "grid/b.tif", "inside.tif"}


def test_a_link_to_itself_is_told(tmp_path: Path) -> None:
    (tmp_path / "self.tif").symlink_to(tmp_path / "self.tif")
    assert list(list_files(tmp_path, MOVIES).unreadable) == ["self.tif"]


def test_links_to_folders_are_followed_once_each_and_never_in_circles(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/x.tif", "data/real/a.tif", "data/zz/b.tif")
    data = tmp_path / "data"
    (data / "AA_link_to_real").symlink_to(data / "real")
    (data / "real/up").symlink_to(data)
    (data / "out").symlink_to(tmp_path / "elsewhere")
    assert names(data, replace(DEEP, follow_links=True)) == {"real/a.tif", "zz/b.tif", "out/x.tif"}
    assert names(data, DEEP) == {"real/a.tif", "zz/b.tif"}
    assert names(data, MOVIES) == set()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_without_permission_is_told_and_the_rest_listed(tmp_path: Path) -> None:
    make(tmp_path, "ok/a.tif", "locked/b.tif")
    (tmp_path / "locked").chmod(0)
    listing = list_files(tmp_path, DEEP)
    (tmp_path / "locked").chmod(0o755)
    assert set(listing.files) == {"ok/a.tif"}
    assert listing.unreadable == {"locked": "Permission denied"}


def test_a_folder_that_the_system_refuses_is_told_and_the_rest_listed(tmp_path: Path) -> None:
    """Also for root: a path longer than the system allows."""
    make(tmp_path, "ok/a.tif")
    handle = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=handle)
        deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = deeper
    os.close(handle)
    listing = list_files(tmp_path, DEEP)
    assert set(listing.files) == {"ok/a.tif"}
    [(folder, reason)] = listing.unreadable.items()
    assert folder.startswith("d" * 250)
    assert reason == "File name too long"


def test_a_data_directory_that_is_gone_is_told(tmp_path: Path) -> None:
    assert list_files(tmp_path / "gone", DEEP).unreadable == {".": "No such file or directory"}


def test_a_name_that_is_not_utf8_is_told_in_printable_form(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff.tif", "wb"):
        pass
    listing = list_files(tmp_path, MOVIES)
    assert listing.files == {}
    assert listing.unreadable == {"\\udcff.tif": "its name is not UTF-8; rename it"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("new\nline.tif", "new\\nline.tif"),
        ("a'b\"c.tif", "a'b\"c.tif"),
        ("a\x85b.tif", "a\\x85b.tif"),
        ("a#1.tif", "a#1.tif"),
        ("x" * 250 + ".tif", "x" * 250 + ".tif"),
    ],
)
def test_a_name_that_no_star_file_can_hold_is_told(tmp_path: Path, name: str, shown: str) -> None:
    make(tmp_path, name, "a b.tif")
    listing = list_files(tmp_path, MOVIES)
    assert set(listing.files) == {"a b.tif"}
    assert look(tmp_path, name, MOVIES.allowed(tmp_path)) is None
    assert list(listing.unreadable) == [shown]


def test_a_unicode_name_counts(tmp_path: Path) -> None:
    make(tmp_path, "Gitter 1/µ-Ångström 漢.tif")
    assert names(tmp_path, DEEP) == {"Gitter 1/µ-Ångström 漢.tif"}


def test_our_own_outputs_are_not_taken_for_movies(tmp_path: Path) -> None:
    make(tmp_path, "a.mrc", "warp/average/a.mrc", "average/a.mrc", "grid/average/b.mrc")
    apart = output_folders(tmp_path, tmp_path.parent / "elsewhere")
    below = output_folders(tmp_path, tmp_path / "warp")
    same = output_folders(tmp_path, tmp_path)
    assert apart == frozenset()
    everything = {"a.mrc", "warp/average/a.mrc", "average/a.mrc", "grid/average/b.mrc"}
    for excluded, missing in (
        (apart, set()),
        (below, {"warp/average/a.mrc"}),
        (same, {"average/a.mrc"}),
    ):
        watched = Watched(("*.mrc",), recursive=True, excluded=excluded)
        assert names(tmp_path, watched) == everything - missing
        assert {path for path in everything if watched.holds(path)} == everything - missing


def test_a_scan_ends_when_told_to(tmp_path: Path) -> None:
    make(tmp_path, "a.tif")
    with pytest.raises(StoppedError):
        list_files(tmp_path, DEEP, lambda: True)


@pytest.mark.bench
def test_scanning_100_000_files(tmp_path: Path) -> None:
    from warpcore.bus.messages import FoundFile
    from warpcore.services.discoverer.incubation import Incubation

    for number in range(100_000):
        os.close(os.open(tmp_path / f"movie_{number:06d}.tif", os.O_CREAT | os.O_WRONLY))
    begun = time.perf_counter()
    listing = list_files(tmp_path, MOVIES)
    scanned = time.perf_counter()
    incubation = Incubation()
    incubation.learn(FoundFile(path, *identity) for path, identity in listing.files.items())
    incubation.listed(listing, 0.0)
    again = time.perf_counter()
    incubation.listed(list_files(tmp_path, MOVIES), 1.0)
    done = time.perf_counter()
    print(f"100 000 files: scan {scanned - begun:.2f} s; scan and decide, all known {done - again:.2f} s")
