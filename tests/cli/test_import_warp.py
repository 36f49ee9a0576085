"""A folder that Warp has processed is taken up: a session shows its results, and has nothing to run."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.running_commands import Done
from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.formats.warp_xml import MovieXml, WarpCtf, write_movie_xml
from warpcore.services.scheduler.shell.rebuilding import rebuild
from warpcore.services.scheduler.shell.session import Session

SHARED = {"PixelSize": "0.75", "BinTimes": "1", "Dimensions": "3072,2304,40", "DosePerAngstromFrame": "1.2"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Warp's folder beside two movies, one of which has no CTF; and an XML of another program."""
    (tmp_path / "warp" / "average").mkdir(parents=True)
    for name, defocus in (("a", 1.5), ("b", None)):
        (tmp_path / f"{name}.tif").write_bytes(bytes(100))
        (tmp_path / "warp" / "average" / f"{name}.mrc").write_bytes(b"of Warp")
        ctf = None if defocus is None else WarpCtf(1.5, 200, 1.4, 0.1, defocus, -0.2, 30.0)
        movie = MovieXml(
            data_directory="..",
            ctf_resolution_estimate_angstrom=3.5,
            mean_frame_movement_angstrom=0.8,
            options_movement=SHARED,
            options_ctf=None if ctf is None else {**SHARED, "Voltage": "200", "Cs": "1.4", "Amplitude": "0.1"},
            ctf=ctf,
        )
        write_movie_xml(tmp_path / "warp" / f"{name}.xml", movie)
    (tmp_path / "warp" / "other.xml").write_text("<Other/>")
    return tmp_path


def test_results_are_shown_and_nothing_runs(site: Path, command: Callable[..., Done]) -> None:
    before = {path: path.read_bytes() for path in (site / "warp").rglob("*.mrc")}
    done = command("import-warp", str(site / "warp"))
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"2 movies of Warp's taken up in {site / 'warp' / 'records'}\n"
    assert "other.xml: not a movie's XML" in done.stderr
    assert before == {path: path.read_bytes() for path in (site / "warp").rglob("*.mrc")}

    first, second = json.loads((site / "warp" / "processed_items.json").read_text())
    assert (first["Path"], first["Defocus"], first["DefocusDelta"], first["Resolution"]) == ("a.tif", 1.5, 0.2, 3.5)
    assert first["DefocusAngle"] == -60  # U and V are exchanged, where Warp's delta is negative
    assert (first["Voltage"], first["Cs"], first["PixelSize"], first["Width"]) == (200, 1.4, 1.5, 2048)
    assert second["Defocus"] is None

    rebuild(site, site / "warp")
    with closing(Session(site, site / "warp")) as session:
        by_name = {movie.name: movie for movie in session.state.movies.values()}
    assert by_name["a"].status == MovieStatus.PROCESSED
    assert by_name["a"].outdated_steps == []
    assert by_name["b"].outdated_steps == ["ctf"]  # Warp has none of it


def test_the_commands_that_are_proposed_may_be_pasted(site: Path, command: Callable[..., Done]) -> None:
    (site / "warp").rename(site / "of Warp")
    done = command("import-warp", str(site / "of Warp"))
    assert f"warpcore up --paused --data {site} --processing '{site / 'of Warp'}'" in done.stderr


def test_a_folder_without_movies_of_warps_is_refused(tmp_path: Path, command: Callable[..., Done]) -> None:
    done = command("import-warp", str(tmp_path))
    assert done.returncode == 1
    assert "no XML of a movie" in done.stderr
