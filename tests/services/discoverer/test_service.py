"""The whole discoverer on real files and sockets: which files it finds, when it registers them."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.discoverer.peer import Peer, Registry, Running
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.messages import FoundFile, Header
from warpcore.services.discoverer.service import DataDirectoryError, run_discoverer
from warpcore.services.session.path_map import PathMap


@pytest.mark.parametrize("watch", [True, False], ids=["watching", "scan alone"])
def test_a_file_copied_in_pieces_is_registered_once_it_is_whole_and_not_before(
    endpoints: Endpoints,
    registry: Registry,
    peer: Peer,
    data: Path,
    movie: Path,
    watch: bool,
    wait_until: Callable[..., None],
) -> None:
    whole = movie.read_bytes()
    step = len(whole) // 4 + 1
    with Running(endpoints, data, watch=watch), (data / "a.tif").open("wb", buffering=0) as file:
        for begin in range(0, len(whole), step):
            assert not registry.files
            file.write(whole[begin : begin + step])
            if begin + step < len(whole):
                # Stable for the incubation, only the container tells that more is to come.
                said = f"{begin + step} bytes"
                wait_until(lambda said=said: any(said in one for one in peer.details("file.incubating")), what=said)
        wait_until(lambda: "a.tif" in registry.files, what="registration")
        wait_until(lambda: peer.told("file.ready"), what="event")
    info = (data / "a.tif").stat()
    assert registry.files == {"a.tif": FoundFile("a.tif", len(whole), info.st_mtime_ns, Header(3, 32, 32))}
    assert registry.added == ["a.tif"]
    assert peer.told("file.ready") == ["a.tif"]


@pytest.mark.parametrize("watch", [True, False], ids=["watching", "scan alone"])
def test_1000_files_at_once_are_all_found_each_once(
    endpoints: Endpoints,
    registry: Registry,
    peer: Peer,
    data: Path,
    movie: Path,
    watch: bool,
    wait_until: Callable[..., None],
) -> None:
    with Running(endpoints, data, watch=watch):
        for number in range(1000):
            shutil.copyfile(movie, data / f"m{number:04d}.tif")
        wait_until(lambda: len(registry.files) == 1000, seconds=30, what="1000 files")
        wait_until(lambda: peer.told("file.ready"), what="events")
    assert len(registry.added) == 1000
    assert not registry.replaced
    told = peer.told("file.ready")  # of a burst of events a subscriber may miss some
    assert len(set(told)) == len(told)
    assert set(told) <= set(registry.files)


def test_watching_finds_a_file_long_before_the_next_scan(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    names = itertools.count()

    def is_watched() -> bool:
        """The watch begins beside the first scan: what comes between the two is found by the next scan alone."""
        shutil.copyfile(movie, data / f"w{next(names)}.tif")
        return any(name.startswith("w") for name in [*registry.files])

    shutil.copyfile(movie, data / "a.tif")
    with Running(endpoints, data, watch=True, scan_interval_s=3600.0):
        wait_until(lambda: "a.tif" in registry.files, what="the first scan's file")
        wait_until(is_watched, what="a file that the watcher has found")
        shutil.copyfile(movie, data / "b.tif")
        (data / "c.tif.part").write_bytes(movie.read_bytes())
        (data / "c.tif.part").rename(data / "c.tif")
        wait_until(lambda: {"b.tif", "c.tif"} <= registry.files.keys(), what="the watcher's files")
        (data / "b.tif").write_bytes(movie.read_bytes()[:-300])
        (data / "b.tif").unlink()
        wait_until(lambda: peer.told("file.vanished") == ["b.tif"], what="vanished")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.tif", b"", "is empty"),
        ("text.tif", b"not a movie at all", "is no TIFF"),
        ("short.mrc", b"\0" * 500, "is no MRC"),
    ],
)
def test_a_file_that_never_becomes_whole_is_registered_in_the_end_so_that_its_failure_is_seen(
    endpoints: Endpoints,
    registry: Registry,
    peer: Peer,
    data: Path,
    name: str,
    content: bytes,
    said: str,
    wait_until: Callable[..., None],
) -> None:
    (data / name).write_bytes(content)
    begun = time.monotonic()
    with Running(endpoints, data, incubation_s=0.05, give_up_s=0.6):
        wait_until(lambda: name in registry.files, what="registration")
        assert time.monotonic() - begun >= 0.6
        wait_until(lambda: peer.told("file.ready") == [name], what="event")
    assert said in peer.details("file.ready")[0]


def test_a_temporary_name_is_ignored_until_renamed_into_place(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    with Running(endpoints, data, watch=True):
        shutil.copyfile(movie, data / ".a.tif.X1y2Z3")
        shutil.copyfile(movie, data / "b.tif")
        wait_until(lambda: "b.tif" in registry.files, what="b")
        assert registry.added == ["b.tif"]
        (data / ".a.tif.X1y2Z3").rename(data / "a.tif")
        wait_until(lambda: "a.tif" in registry.files, what="a")
    wait_until(lambda: sorted(set(peer.told("file.seen"))) == ["a.tif", "b.tif"], what="events of both")


def test_a_replaced_file_is_registered_again_and_a_removed_one_is_told(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    shutil.copyfile(movie, data / "a.tif")
    with Running(endpoints, data):
        wait_until(lambda: "a.tif" in registry.files, what="registration")
        os.utime(data / "a.tif", ns=(1, 1))
        wait_until(lambda: registry.replaced == ["a.tif"], what="replacement")
        assert registry.files["a.tif"].mtime_ns == 1
        (data / "a.tif").unlink()
        wait_until(lambda: peer.told("file.vanished") == ["a.tif"], what="vanished")
    assert registry.added == ["a.tif"]


def test_outputs_below_the_data_directory_are_not_registered(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    registry.processing = data / "warp"
    registry.set(recursive=True)
    for name in ("a.tif", "grid/b.tif", "warp/average/a.tif"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(movie, data / name)
    with Running(endpoints, data):
        wait_until(lambda: len(registry.files) == 2, what="both movies")
        shutil.copyfile(movie, data / "c.tif")
        wait_until(lambda: "c.tif" in registry.files, what="one more")
    assert sorted(registry.added) == ["a.tif", "c.tif", "grid/b.tif"]


def test_results_and_references_are_told_from_movies_where_this_host_sees_the_folders_elsewhere(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    """What the scheduler names in its data directory is in ours; of other folders the map tells."""
    registry.data, registry.processing = Path("/there/krios"), Path("/there/krios/warp")
    registry.set(recursive=True, gain_path="/there/krios/gain.tif", defects_path="/there/camera/defects.tif")
    for name in ("a.tif", "gain.tif", "grid/defects.tif", "warp/average/a.tif"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(movie, data / name)
    with Running(endpoints, data, paths=PathMap.of([f"/there/camera={data}/grid"])):
        wait_until(lambda: registry.files, what="the movie")
        shutil.copyfile(movie, data / "c.tif")
        wait_until(lambda: "c.tif" in registry.files, what="one more")
    assert sorted(registry.added) == ["a.tif", "c.tif"]


def test_a_data_directory_that_cannot_be_is_refused_in_one_line(endpoints: Endpoints, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, said in ((tmp_path / "none", "does not exist; create it"), (tmp_path / "file", "is not a directory")):
        with pytest.raises(DataDirectoryError, match=f"^data directory {path} {said}"):
            run_discoverer(endpoints, path, stop=threading.Event())


def test_a_data_directory_that_goes_and_comes_back_is_told_once(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    shutil.copyfile(movie, data / "a.tif")
    with Running(endpoints, data):
        wait_until(lambda: "a.tif" in registry.files, what="registration")
        data.rename(data.parent / "away")
        wait_until(lambda: peer.told("file.unreadable") == ["."], what="told")
        (data.parent / "away").rename(data)
        shutil.copyfile(movie, data / "b.tif")
        wait_until(lambda: "b.tif" in registry.files, what="the next file")
    assert peer.told("file.vanished") == []
    assert peer.told("file.unreadable") == ["."]
    assert registry.added == ["a.tif", "b.tif"]
