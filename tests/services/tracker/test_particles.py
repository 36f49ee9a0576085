"""Particles of movies become one file, live and for export jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import starfile
from msgspec.structs import replace

from tests.services.faulty_folder import faulty_folder, needs_fuse
from tests.services.tracker.movies import named
from tests.services.tracker.world import Peer, Start, Wait, particles
from warpcore.bus.messages import (
    ExportEvent,
    ExportJob,
)
from warpcore.services.tracker.particles import collect_particles


def test_particles_are_collected_live(
    peers: Callable[..., Peer], tracker: Start, tmp_path: Path, wait_until: Wait
) -> None:
    for number, count in ((1, 3), (2, 2)):
        particles(tmp_path, number, count)
    peer = peers([named(1)], export={"particles": True})
    tracker()

    def rows() -> int:
        path = tmp_path / "particles.star"
        return len(starfile.read(path, always_dict=True)["particles"]) if path.is_file() else 0

    wait_until(lambda: rows() == 3, what="particles of the first movie")
    peer.tell(named(2))
    wait_until(lambda: rows() == 5, what="particles of both")
    (tmp_path / "particles.star").unlink()
    wait_until(lambda: rows() == 5, seconds=20, what="particles of both, written again")


@pytest.mark.parametrize(
    ("told", "exported"), [("by an event", True), ("before the tracker started", False)], ids=["event", "before"]
)
def test_an_export_job_gets_its_summary_also_where_that_cannot_be_stored_at_once(
    peers: Callable[..., Peer],
    tracker: Start,
    tmp_path: Path,
    wait_until: Wait,
    told: str,
    exported: bool,
) -> None:
    files = [particles(tmp_path, 1, 3), "particles/grid/m1_picks.mrcs", particles(tmp_path, 2, 2)]
    job = ExportJob("job-1", "particles", "collecting", 2, 2, 0, {}, files, folder="particles/job-1")
    peer = peers([named(1), named(2)], export={"particles": exported})
    peer.refusals = 1
    if told == "by an event":
        tracker()
        wait_until(lambda: (tmp_path / "movies.star").is_file(), what="first files")
        peer.jobs["job-1"] = job
        peer.publish("export.collecting", ExportEvent(replace(job, files=[])))
    else:
        peer.jobs["job-1"] = job
        tracker()
    wait_until(lambda: peer.collected == [("job-1", "particles/job-1/particles.star")], what="summary told")
    read = starfile.read(tmp_path / "particles/job-1/particles.star", always_dict=True)
    assert read["particles"]["rlnImageName"].tolist()[3] == "000001@particles/grid/m2_picks.mrcs"
    assert len(read["particles"]) == 5


@needs_fuse
def test_particles_are_not_left_out_where_the_storage_errs(tmp_path: Path) -> None:
    with faulty_folder(tmp_path / "faulty") as folder:
        files = [str((folder.path / particles(folder.path, 1, 3)).relative_to(tmp_path))]
        folder.has("EIO")
        with pytest.raises(OSError, match="Input/output error"):
            collect_particles(tmp_path, files, "particles.star", {})
        folder.is_well()
        assert collect_particles(tmp_path, files, "particles.star", {}) == 3


def test_particle_files_of_other_optics_are_another_group_and_bad_ones_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = [
        particles(tmp_path, 1, 2),
        particles(tmp_path, 2, 1, box=128),
        particles(tmp_path, 3, 2),
        "none.star",
        "../x",
    ]
    (tmp_path / "bad.star").write_text("no star")
    assert collect_particles(tmp_path, [*files, "bad.star"], "particles.star", {}) == 5
    read = starfile.read(tmp_path / "particles.star", always_dict=True)
    assert read["optics"]["rlnImageSize"].tolist() == [64, 128]
    assert read["optics"]["rlnOpticsGroupName"].tolist() == ["opticsGroup1", "opticsGroup2"]
    assert read["particles"]["rlnOpticsGroup"].tolist() == [1, 1, 2, 1, 1]
    assert caplog.text.count("left out of the particles") == 3
    assert collect_particles(tmp_path, [], "particles.star", {}) == 0
    assert len(starfile.read(tmp_path / "particles.star")) == 0


def test_a_summary_of_a_job_that_was_deleted_meanwhile_is_taken_back(
    peers: Callable[..., Peer], tracker: Start, tmp_path: Path, wait_until: Wait
) -> None:
    """The scheduler has deleted the folder; what the tracker wrote after that would stay for ever."""
    peer = peers([named(1)])
    peer.gone = {"job-1"}
    peer.jobs["job-1"] = ExportJob(
        "job-1", "particles", "collecting", 1, 1, 0, {}, [particles(tmp_path, 1, 3)], folder="particles/job-1"
    )
    tracker()
    wait_until(lambda: not peer.gone, what="the tracker was told that there is no such job")
    wait_until(lambda: not (tmp_path / "particles/job-1").exists(), what="its file is gone")
    assert (tmp_path / "particles/grid/m1_picks.star").is_file()


def test_groups_of_another_program_keep_their_names_and_ours_follow_their_numbers(tmp_path: Path) -> None:
    files = [particles(tmp_path, number, 1) for number in (1, 2, 3)]
    for file in (files[0], files[2]):
        (tmp_path / file).write_text((tmp_path / file).read_text().replace("opticsGroup1 ", "krios-2_b "))
    collect_particles(tmp_path, files, "particles.star", {"average/grid/m2.mrc": 4})
    tables = starfile.read(tmp_path / "particles.star")
    assert list(tables["optics"]["rlnOpticsGroupName"]) == ["krios-2_b", "opticsGroup4"]
    assert list(tables["optics"]["rlnOpticsGroup"]) == [1, 4]
    assert list(tables["particles"]["rlnOpticsGroup"]) == [1, 4, 1]


def test_groups_of_other_boxes_do_not_share_the_name_that_another_program_gave(tmp_path: Path) -> None:
    """RELION would join them: star_handler.cpp, combine."""
    files = [particles(tmp_path, 1, 1), particles(tmp_path, 2, 1, box=128)]
    for file in files:
        (tmp_path / file).write_text((tmp_path / file).read_text().replace("opticsGroup1 ", "krios "))
    collect_particles(tmp_path, files, "particles.star", {})
    tables = starfile.read(tmp_path / "particles.star")
    assert list(tables["optics"]["rlnOpticsGroupName"]) == ["krios", "krios_2"]
    assert list(tables["optics"]["rlnImageSize"]) == [64, 128]


def test_particles_have_the_present_group_of_their_movie_and_without_one_that_of_their_file(tmp_path: Path) -> None:
    files = [particles(tmp_path, 1, 2), particles(tmp_path, 2, 1, box=128), particles(tmp_path, 3, 2)]
    now = {"average/grid/m1.mrc": 4, "average/grid/m2.mrc": 4}
    assert collect_particles(tmp_path, files, "particles.star", now) == 5
    read = starfile.read(tmp_path / "particles.star", always_dict=True)
    assert read["optics"]["rlnOpticsGroup"].tolist() == [1, 4, 5], "another box is another row"
    assert read["optics"]["rlnImageSize"].tolist() == [64, 64, 128]
    assert read["particles"]["rlnOpticsGroup"].tolist() == [4, 4, 5, 1, 1]
