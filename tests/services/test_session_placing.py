"""Outputs are placed whole: cut off after any operation and begun again, they end as if nothing had happened."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.memory_files import CutOffError, MemoryFiles
from warpcore.services.session import disk_files
from warpcore.services.session.disk_files import DiskFiles
from warpcore.services.session.generations import KEPT_GENERATIONS, Generation, kept_home
from warpcore.services.session.movie_record import record_path
from warpcore.services.session.placing import (
    IncompleteError,
    Placement,
    drop,
    folders_of_tasks,
    forget,
    kept,
    place,
    restore,
)

LEASE = "7"
FORMER = Generation(
    {"ctf": "old"}, {"ctf": {}}, {"ctf": ["powerspectrum/g/a.json"], "picking": ["matching/g/a_picks.star"]}
)
PLACEMENT = Placement(
    "g/a",
    LEASE,
    {"powerspectrum/g/a.json": ("ctf.2.json", 8), "g/a.xml": ("export.0.xml", 8)},
    stale=["matching/g/a_picks.star"],
    before=FORMER,
)
BELOW = f"g/a.kept/{'e' * 16}"
"""A movie in a folder that is called as the one in which outputs of `g/a` are kept."""
OF_TRY = replace(
    PLACEMENT, before=Generation(), stale=[], target=".warpcore/tries/try-3", linked=["matching/g/a_picks.star", "gone"]
)


def disk() -> MemoryFiles:
    """A disk with the former outputs, earlier kept ones, and what a worker has staged."""
    files = MemoryFiles()
    for key in ("a" * 16, "b" * 16, "c" * 16):
        files.write(f"{kept_home('g/a')}/{key}/generation.json", b"{}")
    files.write(f"{kept_home(BELOW)}/{'d' * 16}/generation.json", b"{}")
    for path in FORMER.files:
        files.write(path, b"old")
    files.write("average/g/a.mrc", b"another's")
    files.stage(7, {"ctf.2.json": b"new spec", "export.0.xml": b"new  xml"})
    files.stage(8, {"ctf.2.json": b"another's"})
    return files


def count(act: Callable[[MemoryFiles], object]) -> int:
    """How many operations it takes."""
    files = disk()
    files.left = 10_000
    act(files)
    return 10_000 - files.left


def ends(files: MemoryFiles, kept_keys: list[str]) -> tuple[dict[str, bytes], list[str]]:
    return files.content, kept_keys


@pytest.mark.parametrize("placement", [PLACEMENT, OF_TRY], ids=["session", "try"])
def test_cut_off_anywhere_and_begun_again_it_ends_the_same(placement: Placement) -> None:
    whole = disk()
    expected = ends(whole, place(whole, placement))
    for operations in range(count(lambda files: place(files, placement))):
        files = disk()
        files.left = operations
        with pytest.raises(CutOffError):
            place(files, placement)
        files.left = None
        assert ends(files, place(files, placement)) == expected, f"cut off after {operations} operations"
    assert ends(whole, place(whole, placement)) == expected, "done once more, it changes nothing"


def test_new_outputs_take_their_places_the_former_ones_are_kept_and_the_oldest_kept_ones_go() -> None:
    files = disk()
    keys = place(files, PLACEMENT)
    assert files.outputs() == {
        "powerspectrum/g/a.json": b"new spec",
        "g/a.xml": b"new  xml",
        "average/g/a.mrc": b"another's",
    }
    assert keys == ["b" * 16, "c" * 16, FORMER.key]
    assert len(keys) == KEPT_GENERATIONS
    assert kept(files, "g/a", FORMER.key) == FORMER
    assert files.folders(kept_home(BELOW)) == ["d" * 16]
    assert folders_of_tasks(files) == {"7", "8"}
    drop(files, LEASE)
    assert folders_of_tasks(files) == {"8"}


def test_of_a_forgotten_movie_neither_record_nor_kept_outputs_stay_and_of_others_all() -> None:
    files = disk()
    place(files, replace(PLACEMENT, record="{}"))
    before = files.content
    forget(files, "g/a")
    gone = before.keys() - files.content.keys()
    assert {path for path in gone if not path.startswith(f"{kept_home('g/a')}/")} == {record_path("g/a")}
    assert files.folders(kept_home("g/a")) == []
    assert files.folders(kept_home(BELOW)) == ["d" * 16]
    forget(files, "g/a")


def test_readers_see_each_output_old_or_new_and_never_neither() -> None:
    for operations in range(count(lambda files: place(files, PLACEMENT))):
        files = disk()
        files.left = operations
        with pytest.raises(CutOffError):
            place(files, PLACEMENT)
        assert files.content["powerspectrum/g/a.json"] in (b"old", b"new spec")
        assert files.content["average/g/a.mrc"] == b"another's"


def test_what_a_worker_still_writes_once_its_folder_was_taken_over_reaches_no_output() -> None:
    files = disk()
    files.left = count(lambda other: place(other, PLACEMENT)) - 4
    with pytest.raises(CutOffError):
        place(files, PLACEMENT)
    files.left = None
    files.stage(7, {"ctf.2.json": b"too late"})
    place(files, PLACEMENT)
    assert files.content["powerspectrum/g/a.json"] == b"new spec"


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda files: files.remove(".warpcore/staging/7/ctf.2.json"), "is not there"),
        (lambda files: files.stage(7, {"ctf.2.json": b"half"}), "has 4 bytes, not the 8"),
    ],
)
def test_what_is_not_whole_changes_nothing(damage: Callable[[MemoryFiles], object], what: str) -> None:
    files = disk()
    damage(files)
    before = files.content
    with pytest.raises(IncompleteError, match=rf"powerspectrum/g/a\.json .*{what}"):
        place(files, PLACEMENT)
    assert files.content == before


def test_an_output_reported_as_unchanged_must_be_there() -> None:
    with pytest.raises(IncompleteError, match=r"average/x\.mrc was reported as unchanged"):
        place(disk(), replace(PLACEMENT, unchanged=["average/x.mrc"]))
    place(disk(), replace(PLACEMENT, unchanged=["average/g/a.mrc"]))


@given(st.sampled_from([".warpcore/state.db", "../other", "/etc/passwd", ".warpcore"]))
def test_what_is_no_output_is_never_deleted(path: str) -> None:
    files = disk()
    files.write(".warpcore/state.db", b"state")
    place(files, replace(PLACEMENT, stale=[path]))
    assert files.content[".warpcore/state.db"] == b"state"


def test_kept_outputs_are_put_back_whatever_cuts_it_off() -> None:
    def prepared() -> MemoryFiles:
        files = disk()
        place(files, PLACEMENT)
        return files

    present = Generation({"ctf": "new"}, {"ctf": {}}, {"ctf": ["powerspectrum/g/a.json"], "export": ["g/a.xml"]})
    whole = prepared()
    generation, _ = restore(whole, "g/a", FORMER.key, present)
    assert generation == FORMER
    assert whole.outputs() == {**dict.fromkeys(FORMER.files, b"old"), "average/g/a.mrc": b"another's"}
    for operations in range(1, 100):
        files = prepared()
        files.left = operations
        try:
            restore(files, "g/a", FORMER.key, present)
            break
        except CutOffError:
            files.left = None
        # After a restart nobody knows how far it came, so the present outputs are not kept.
        generation, _ = restore(files, "g/a", FORMER.key, Generation(outputs=present.outputs))
        assert (generation, files.outputs()) == (FORMER, whole.outputs()), f"cut off after {operations} operations"
    assert operations > 10


# --- on a real disk ------------------------------------------------------------------------------------------------


def staged(processing: Path) -> Placement:
    """The same on a real disk."""
    for path, (name, _) in PLACEMENT.staged.items():
        file = processing / PLACEMENT.written_in / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"new".ljust(8))
        former = processing / path
        former.parent.mkdir(parents=True, exist_ok=True)
        former.write_bytes(b"old")
    (processing / "matching/g").mkdir(parents=True)
    (processing / "matching/g/a_picks.star").write_bytes(b"old")
    return PLACEMENT


def outputs(processing: Path) -> dict[str, bytes]:
    found = (path for path in processing.rglob("*") if path.is_file())
    relative = {str(path.relative_to(processing)): path.read_bytes() for path in found}
    return {path: content for path, content in relative.items() if not path.startswith(".warpcore/")}


PLACED = dict.fromkeys(PLACEMENT.staged, b"new".ljust(8))


def without(monkeypatch: pytest.MonkeyPatch, call: str, error: int, spared: Callable[[Any, Any], bool]) -> None:
    """A file system on which a call is refused, unless it is `spared`."""
    real = getattr(os, call)

    def refused(source: Any, target: Any) -> None:
        if spared(source, target):
            real(source, target)
            return
        raise OSError(error, os.strerror(error), source, None, target)

    monkeypatch.setattr(disk_files.os, call, refused)


def test_it_works_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "link", errno.EPERM, lambda *_: False)
    keys = place(DiskFiles(tmp_path), staged(tmp_path))
    assert (outputs(tmp_path), keys) == (PLACED, [FORMER.key])
    assert restore(DiskFiles(tmp_path), "g/a", FORMER.key, Generation())[0] == FORMER
    assert (tmp_path / "powerspectrum/g/a.json").read_bytes() == b"old"


def test_outputs_on_another_file_system_are_copied_beside_their_place_and_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_one(source: str | Path, target: str | Path) -> bool:
        return (".warpcore" in Path(source).parts) == (".warpcore" in Path(target).parts)

    without(monkeypatch, "replace", errno.EXDEV, on_one)
    place(DiskFiles(tmp_path), staged(tmp_path))
    assert outputs(tmp_path) == PLACED


def test_a_folder_in_the_way_of_an_output_is_an_error_and_stays(tmp_path: Path) -> None:
    placement = staged(tmp_path)
    (tmp_path / "g/a.xml").unlink()
    (tmp_path / "g/a.xml" / "of the user").mkdir(parents=True)
    with pytest.raises(OSError, match=r"a\.xml"):
        place(DiskFiles(tmp_path), placement)
    assert (tmp_path / "g/a.xml" / "of the user").exists()
