"""Particles of movies become one file, live and for export jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import starfile
from msgspec.structs import replace

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


@pytest.mark.parametrize("told", ["by an event", "before the tracker started"])
def test_an_export_job_gets_its_summary_also_where_that_cannot_be_stored_at_once(
    peers: Callable[..., Peer],
    tracker: Start,
    tmp_path: Path,
    wait_until: Wait,
    told: str,
) -> None:
    files = [particles(tmp_path, 1, 3), "particles/grid/m1_picks.mrcs", particles(tmp_path, 2, 2)]
    job = ExportJob("particles-1", "particles", "collecting", 2, 2, 0, {}, files)
    peer = peers([named(1), named(2)])
    peer.refusals = 1
    if told == "by an event":
        tracker()
        wait_until(lambda: (tmp_path / "movies.star").is_file(), what="first files")
        peer.jobs["particles-1"] = job
        peer.publish("export.collecting", ExportEvent(replace(job, files=[])))
    else:
        peer.jobs["particles-1"] = job
        tracker()
    wait_until(lambda: peer.collected == [("particles-1", "particles.star")], what="summary told")
    read = starfile.read(tmp_path / "particles.star", always_dict=True)
    assert read["particles"]["rlnImageName"].tolist()[3] == "000001@particles/grid/m2_picks.mrcs"
    assert len(read["particles"]) == 5


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
    assert collect_particles(tmp_path, [*files, "bad.star"], "particles.star") == 5
    read = starfile.read(tmp_path / "particles.star", always_dict=True)
    assert read["optics"]["rlnImageSize"].tolist() == [64, 128]
    assert read["optics"]["rlnOpticsGroupName"].tolist() == ["opticsGroup1", "opticsGroup2"]
    assert read["particles"]["rlnOpticsGroup"].tolist() == [1, 1, 2, 1, 1]
    assert caplog.text.count("left out of the particles") == 3
    assert collect_particles(tmp_path, [], "particles.star") == 0
    assert len(starfile.read(tmp_path / "particles.star")) == 0
