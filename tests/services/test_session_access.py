"""What may be written, served and read back: the one decision, over names and links that an attacker would choose."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from warpcore.services.api.errors import Problem
from warpcore.services.api.pictures.files import opened
from warpcore.services.session.allowed import (
    OWN_FOLDER,
    Access,
    PathOutsideError,
    allowed_below,
    inside,
    is_output,
    is_own_name,
    results_below,
    served_below,
)
from warpcore.services.session.movie_record import FOLDER, MovieRecordFile, read_records
from warpcore.services.session.opening import RefusedFileError, open_file, result_path, within

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of other users")
NOBODY = 65534

ODD_PARTS = st.sampled_from(
    [
        *(
            "..",
            ".",
            "",
            "a",
            "average",
            "\0",
            "a\0b",
            "%2e%2e",
            "..%2f",
            "\u2025",
            "\uff0e\uff0e",
            "-",
            "out",
            " ",
            "\n",
        ),
        *(OWN_FOLDER, ".Warpcore", ".WARPCORE", ".war\u200dpcore", ".\uff57arpcore", ".warpcore ", ".warpcore_"),
    ]
)
NAMES = st.lists(st.one_of(ODD_PARTS, st.text(max_size=4)), min_size=1, max_size=5).map("/".join)


@given(NAMES)
@example("/etc/passwd")
@example(".warpcore/state.db")
@example("average/.WarpCore/state.db")
@example("average/../.warpcore/access/server.toml")
def test_what_can_be_an_output_lies_below_and_in_no_folder_of_our_own(name: str) -> None:
    """Whatever the name: where it is taken, it leads to no other place than it says."""
    allowed = results_below("/p")
    path = f"/p/{name}"
    if is_output(name):
        normal = os.path.normpath(inside(Path("/p"), name))
        assert normal.startswith("/p/")
        assert not any(map(is_own_name, normal.split("/")))
        assert allowed.fault(path, normal) == ""
        assert served_below("/p").fault(path, normal) == ""
        assert allowed_below("/d", "/p").fault(path, normal) == ""
    elif not name.startswith("/") and "\0" not in name:
        assert allowed.fault(path, os.path.normpath(path)) != "" or os.path.normpath(path) == "/p"


@pytest.mark.parametrize("access", [Access.READ, Access.SERVE, Access.RESULT])
@pytest.mark.parametrize("own", [".warpcore", ".WarpCore", ".warp\u200bcore", ".\uff37arpcore"])
@pytest.mark.parametrize("deep", ["", "a/", "a/b/c/"])
def test_no_depth_and_no_case_opens_our_own_folder(access: Access, own: str, deep: str) -> None:
    made = {Access.READ: allowed_below("/p", "/p"), Access.SERVE: served_below("/p")}.get(access, results_below("/p"))
    path = f"/p/{deep}{own}/state.db"
    assert "warpcore alone" in made.fault(path, path)
    assert "warpcore alone" in made.fault("/p/a/link.mrc", path)


def test_our_own_files_lie_in_one_folder() -> None:
    own = results_below("/p", Access.OWN)
    assert own.fault("/p/.warpcore/staging/7", "/p/.warpcore/staging/7") == ""
    for path in ("/p/average/a.mrc", "/p/.warpcore/kept/.warpcore/x", "/p/.warpcore/../a", "/q/x"):
        assert own.fault(path, path) != ""


def test_links_of_this_user_lead_a_result_anywhere_but_to_the_system_and_our_own() -> None:
    results = results_below("/p")
    assert results.fault("/p/average/a.mrc", "/disk2/average/a.mrc") == ""
    assert "another user" in results.fault("/p/average/a.mrc", "/disk2/average/a.mrc", "/p/average")
    assert "operating system" in results.fault("/p/average/a.mrc", "/etc/a.mrc")
    assert "warpcore alone" in results.fault("/p/average/a.mrc", "/p/.warpcore/a.mrc")
    assert "warpcore alone" in results.fault("/p/average/a.mrc", "/other/.warpcore/a.mrc")


@pytest.fixture(scope="module")
def processing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with links of every kind; what may be sent of it holds `mine`, all else a secret."""
    folder = tmp_path_factory.mktemp("access") / "processing"
    for made in (folder / ".warpcore/access", folder / "average", folder.parent / "linked"):
        made.mkdir(parents=True)
    for path in ("a", "average/a", "average/average"):
        (folder / path).write_text("mine")
    for path in (".warpcore/state.db", ".warpcore/access/server.toml", "../secret", "../linked/a"):
        (folder / path).write_text("secret")
    (folder / "average/link").symlink_to(folder / ".warpcore")
    (folder / "out").symlink_to(folder.parent / "linked")
    return folder


@given(name=NAMES)
@example(name="average/../../secret")
@example(name="average/link/state.db")
@example(name="out/a")
def test_nothing_outside_is_opened_by_any_name(name: str, processing: Path) -> None:
    """End to end at the file system: REST's opening, and where writers are told to write."""
    with suppress(Problem, OSError, UnicodeError), opened(processing, name) as file:
        assert file.read() == b"mine"
    try:
        there = os.path.realpath(result_path(processing, name))
    except (PathOutsideError, PermissionError):
        return
    below = (os.path.realpath(processing), os.path.realpath(processing.parent / "linked"))
    assert f"{there}/".startswith(tuple(f"{folder}/" for folder in below))
    assert "/.warpcore/" not in there or name.startswith(".warpcore/")


@needs_root
def test_a_link_of_another_user_is_neither_written_through_nor_read_back(tmp_path: Path) -> None:
    processing = tmp_path / "processing"
    (processing / "motion").mkdir(parents=True)
    (tmp_path / "private").mkdir()
    (tmp_path / "private/a.json").write_text("secret")
    for name, target in (("average", "private"), ("motion/a.json", "private/a.json")):
        (processing / name).symlink_to(tmp_path / target)
        os.chown(processing / name, NOBODY, NOBODY, follow_symlinks=False)
    for name in ("average/a.json", "motion/a.json"):
        with within(results_below(processing)), pytest.raises(RefusedFileError, match="another user") as refused:
            open_file(processing / name)
        assert "secret" not in str(refused.value)
    with pytest.raises(PermissionError, match="another user"):
        result_path(processing, "average/a.json")
    assert result_path(processing, "motion/a.json") == processing / "motion/a.json"  # a new file takes the link's place


def test_a_link_that_stands_on_the_way_only_while_a_result_is_opened_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others of the group may change the directory between a look and the opening, and back again."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private/a.json").write_text("secret")
    folder = tmp_path / "processing/motion"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("mine")
    open_by_system = os.open

    def swapping(path: str, flags: int) -> int:
        folder.rename(tmp_path / "aside")
        folder.symlink_to(tmp_path / "private")
        try:
            return open_by_system(path, flags)
        finally:
            folder.unlink()
            (tmp_path / "aside").rename(folder)

    with within(results_below(tmp_path / "processing")), monkeypatch.context() as patch:
        patch.setattr(os, "open", swapping)
        with pytest.raises(RefusedFileError, match="was replaced while it was opened"):
            open_file(folder / "a.json")


def test_a_result_that_is_replaced_by_a_new_one_while_it_is_opened_is_read_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As outputs are, at any time."""
    path, open_by_system = tmp_path / "a.json", os.open
    path.write_text("old")

    def replacing(given: str, flags: int) -> int:
        handle = open_by_system(given, flags)
        (tmp_path / "new").write_text("new")
        (tmp_path / "new").replace(path)
        return handle

    with within(results_below(tmp_path)), monkeypatch.context() as patch:
        patch.setattr(os, "open", replacing)
        with open_file(path) as file:
            assert file.read() == b"old"


def record(name: str) -> str:
    return MovieRecordFile(name, f"{name}.tif", 1, 2, {}, {}, {}).text


def records(processing: Path) -> dict[str, bool]:
    """The names of the files, and whether each is a record."""
    return {Path(path).stem: found is not None for path, found in read_records(processing)}


def test_a_record_that_is_a_pipe_or_too_large_is_not_read(tmp_path: Path) -> None:
    """Whoever may write into the processing directory could hold up each start."""
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    for name, blanks in (("a", 0), ("b", 4 << 20)):
        (folder / f"{name}.json").write_text(record(name) + " " * blanks)
    os.mkfifo(folder / "c.json")
    writer = threading.Thread(target=(folder / "c.json").write_text, args=(record("c"),), daemon=True)
    writer.start()
    found = records(tmp_path)
    with open(os.open(folder / "c.json", os.O_RDONLY | os.O_NONBLOCK)):  # lets the writer go
        writer.join(30)
    assert found == {"a": True, "b": False, "c": False}


@needs_root
def test_a_record_that_is_a_link_of_another_user_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    (tmp_path / "private.json").write_text(record("a"))
    (folder / "a.json").symlink_to(tmp_path / "private.json")
    assert records(tmp_path) == {"a": True}
    os.chown(folder / "a.json", NOBODY, NOBODY, follow_symlinks=False)
    assert records(tmp_path) == {"a": False}
