"""The tracker over real sockets and files; a peer with a scheduler's control port and event hub tells it all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.tracker.movies import named
from tests.services.tracker.world import Peer, Start, Wait, items, micrographs
from warpcore.bus.messages import (
    Failure,
)
from warpcore.services.formats.warp_xml import MovieXml, write_movie_xml
from warpcore.services.formats.warp_xml_reading import read_movie_xml


def test_files_follow_the_state_through_lost_events(
    peers: Callable[..., Peer], tracker: Start, tmp_path: Path, wait_until: Wait
) -> None:
    peer = peers([named(1), named(2, status="unprocessed", results={})])
    tracker()
    wait_until(lambda: (tmp_path / "movies.star").is_file() and len(items(tmp_path) or []) == 2, what="first files")
    assert items(tmp_path, "failed_items.json") == []
    peer.tell(named(2, status="failed", results={}, failure=Failure("input", "load", "empty", "h")))
    wait_until(lambda: len(items(tmp_path, "failed_items.json") or []) == 1, what="failure listed")
    peer.tell(named(2, status="queued", results={}), lose=True)
    peer.tell(named(2, status="processing", results={}), lose=True)
    peer.tell(named(2))
    wait_until(lambda: micrographs(tmp_path) == ["average/grid/m1.mrc", "average/grid/m2.mrc"], what="both rows")
    wait_until(lambda: items(tmp_path, "failed_items.json") == [], what="no failure listed")
    star = {"movies.star", "corrected_micrographs.star", "micrographs_ctf.star", "autopick.star"}
    names = {"processed_items.json", "failed_items.json", "settings.json", *star}
    wait_until(lambda: {path.name for path in tmp_path.iterdir()} == names, what="these files and no temporary ones")


def test_late_start_and_restart_are_right_and_leave_right_files_alone(
    peers: Callable[..., Peer], tracker: Start, tmp_path: Path, wait_until: Wait
) -> None:
    (tmp_path / "processed_items.json").write_text('[{"Path": "half wri')
    end = tracker()
    peer = peers([named(number) for number in range(1, 4)])
    wait_until(lambda: len(micrographs(tmp_path)) == 3 and (tmp_path / "movies.star").is_file(), what="files")
    assert [one["Path"] for one in items(tmp_path) or []] == [f"grid/m{number}.tif" for number in (1, 2, 3)]
    end()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    peer.tell(named(3, selection="exclude"))
    tracker()
    wait_until(lambda: len(micrographs(tmp_path)) == 2, what="change made while away")

    def written_at(name: str) -> int:
        return (tmp_path / name).stat().st_mtime_ns

    wait_until(lambda: written_at("processed_items.json") > before["processed_items.json"], what="another list")
    assert written_at("failed_items.json") == before["failed_items.json"]


def test_lists_name_files_as_the_schedulers_host_sees_them(
    peers: Callable[..., Peer], tracker: Start, tmp_path: Path, wait_until: Wait
) -> None:
    """It sees the processing directory at /data/processing, this host under another name, or by a link."""
    link = tmp_path.with_name(f"{tmp_path.name}_link")
    link.symlink_to(tmp_path)
    peers([named(1)], export={"project_root": ".."})
    tracker(link)
    name = "processing/average/grid/m1.mrc"
    wait_until(lambda: micrographs(tmp_path) == [name], what="the scheduler's name")


def test_a_file_that_was_changed_or_has_gone_is_written_again(
    peers: Callable[..., Peer], tracker: Start, tmp_path: Path, wait_until: Wait
) -> None:
    peers([named(1)])
    tracker()
    wait_until(lambda: (tmp_path / "movies.star").is_file() and items(tmp_path), what="files")
    right = {name: (tmp_path / name).read_text() for name in ("movies.star", "processed_items.json")}
    (tmp_path / "movies.star").unlink()
    (tmp_path / "processed_items.json").write_text("[]")
    wait_until(lambda: all((tmp_path / name).is_file() for name in right), seconds=20, what="all files")
    wait_until(lambda: {name: (tmp_path / name).read_text() for name in right} == right, seconds=20, what="the same")


def test_selection_reaches_the_xml_of_each_movie(
    peers: Callable[..., Peer], tracker: Start, tmp_path: Path, wait_until: Wait
) -> None:
    (tmp_path / "grid").mkdir()
    for number in (1, 2):
        write_movie_xml(tmp_path / f"grid/m{number}.xml", MovieXml("/data"))
    peer = peers([named(1, status="filtered_out", filter_reasons=["x"]), named(2), named(3)])
    tracker()

    def flags(number: int) -> tuple[bool, bool | None]:
        read = read_movie_xml(tmp_path / f"grid/m{number}.xml")
        return read.unselect_filter, read.unselect_manual

    wait_until(lambda: flags(1) == (True, None), what="filter in the XML")
    assert flags(2) == (False, None)
    peer.tell(named(2, selection="exclude"))
    peer.tell(named(1, status="filtered_out", filter_reasons=["x"], selection="include"))
    wait_until(lambda: flags(2) == (False, True) and flags(1) == (True, False), what="choices in the XML")


def test_a_directory_that_cannot_be_written_is_told_once_and_tried_again(
    peers: Callable[..., Peer],
    tracker: Start,
    tmp_path: Path,
    wait_until: Wait,
    caplog: pytest.LogCaptureFixture,
) -> None:
    obstacle = tmp_path / "failed_items.json"
    obstacle.mkdir()
    peers([named(1)])
    tracker()
    wait_until(lambda: "failed_items.json: cannot be written" in caplog.text, what="complaint")
    obstacle.rmdir()
    wait_until(lambda: items(tmp_path, "failed_items.json") == [] and micrographs(tmp_path), what="files after all")
    assert caplog.text.count("cannot be written") == 1
