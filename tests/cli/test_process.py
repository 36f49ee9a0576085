"""`warpcore process` leaves what a session leaves, and goes on where a run was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile

from tests.running_commands import Done
from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.scheduler.core.views import movie_view
from warpcore.services.scheduler.shell.lock import locked
from warpcore.services.scheduler.shell.rebuilding import rebuild
from warpcore.services.scheduler.shell.session import Session
from warpcore.services.tracker.documents import item

Command = Callable[..., Done]
LIMITS = ("defocus_min", "defocus_max", "astigmatism_max", "resolution_max", "motion_max", "particles_min", "junk_max")
SETTINGS = (
    "import.dose_per_frame=3.0",
    "picking.diameter=120",
    "export.particles=true",
    *(f"filter.{name}=null" for name in LIMITS),
)
OPTIONS = ["--device", "cpu", *(word for one in SETTINGS for word in ("--set", one))]

QUICK = ["--set", "motion.enabled=false", "--set", "ctf.enabled=false", "--set", "picking.diameter=null"]


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three movies of noise in two sub-folders, and a file that is none."""
    folder, draw = tmp_path_factory.mktemp("movies"), np.random.default_rng(3)
    for number, name in enumerate(("one/a", "one/b", "two/c")):
        target = folder / f"{name}.mrc"
        target.parent.mkdir(exist_ok=True)
        with mrcfile.new(target) as file:
            file.set_data(draw.poisson(20, (3, 128, 160)).astype(np.int16))
            file.voxel_size = 2.0
        os.utime(target, (1000 + number, 1000 + number))
    (folder / "two" / "broken.mrc").write_text("no movie")
    return folder


def files_of(data: Path) -> list[str]:
    return sorted(map(str, data.rglob("*.mrc")))


def outputs_in(processing: Path) -> dict[str, bytes]:
    """All files but our own, by name."""
    found = (path for path in processing.rglob("*") if path.is_file() and ".warpcore" not in path.parts)
    return {path.relative_to(processing).as_posix(): path.read_bytes() for path in found}


def test_a_run_that_was_killed_is_resumed_to_the_same_bytes_and_lists(
    movies: Path, tmp_path: Path, command: Command
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    # What the steps compute does not matter here, and the killed run would compile it again.
    words = ["process", *files_of(movies), *OPTIONS, *QUICK]
    done = command(*words, "--processing", str(whole))
    assert done.returncode == 1
    assert "1 of 4 movies failed" in done.stderr
    assert done.stdout.splitlines() == ["one/a: processed", "one/b: processed", "two/c: processed"]
    running = subprocess.Popen(
        [sys.executable, "-m", "warpcore.cli.main", *words, "--processing", str(killed)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (killed / "records" / "one" / "a.json").exists() and running.poll() is None:
            time.sleep(0.002)  # the movies after it take a moment
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    again = command(*words, "--processing", str(killed), "--resume", "--json")
    assert json.loads(again.stdout)[0]["ran"] == []
    assert outputs_in(killed) == outputs_in(whole)
    assert not list((killed / ".warpcore" / "staging").glob("*"))

    check_lists(whole)
    check_against_a_session(movies, whole)


def test_of_a_file_that_is_gone_nothing_is_assumed(tmp_path: Path, command: Command) -> None:
    done = command("process", str(tmp_path / "nothing.tif"), "--processing", str(tmp_path / "results"))
    assert done.returncode == 1
    assert "the file is gone" in done.stderr
    assert "assumed" not in done.stdout + done.stderr


def check_lists(processing: Path) -> None:
    """All lists of a session are there, and readable."""
    micrographs = starfile.read(processing / "corrected_micrographs.star", always_dict=True)["micrographs"]
    assert list(micrographs["rlnMicrographName"]) == [f"average/{name}.mrc" for name in ("one/a", "one/b", "two/c")]
    for name in ("movies.star", "micrographs_ctf.star", "autopick.star", "particles.star"):
        assert (processing / name).exists()
    failed = json.loads((processing / "failed_items.json").read_text())
    assert [(one["Path"], one["Step"]) for one in failed] == [("two/broken.mrc", "load")]
    settings = json.loads((processing / "settings.json").read_text())
    assert settings["import"]["dose_per_frame"] == 3.0


def check_against_a_session(data: Path, processing: Path) -> None:
    """A session that takes the folder up has nothing to run, and would write the same list."""
    told = rebuild(data, processing)
    assert "3 movies have results" in " ".join(told)
    with closing(Session(data, processing)) as session:
        state = session.state
        assert {movie.status for movie in state.movies.values()} == {MovieStatus.PROCESSED}
        views = [movie_view(movie, None, state.plan.off) for movie in state.movies.values()]
    (processing / ".warpcore" / "state.db").unlink()
    written = (processing / "processed_items.json").read_text()
    assert [json.loads(item(view)) for view in views] == json.loads(written)


def test_references_and_averages_among_the_files_are_left_out_unless_asked_for(
    movies: Path, tmp_path: Path, command: Command
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    movie = data / "a_Fractions.mrc"
    movie.write_bytes((movies / "one" / "a.mrc").read_bytes())
    for name in ("gain.mrc", "a.mrc"):
        with mrcfile.new(data / name) as file:
            file.set_data(np.ones((128, 160), np.float32))
            file.voxel_size = 2.0
    words = ["process", *files_of(data), "--processing", str(tmp_path / "p"), "--device", "cpu", *QUICK]
    done = command(*words)
    assert done.returncode == 0, done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["a_Fractions"]
    assert "a.mrc: one frame beside a_Fractions.mrc; to process it all the same: --set" in done.stderr
    assert "gain.mrc: one frame, and 'gain' in its name" in done.stderr
    asked = command("process", str(data / "gain.mrc"), *words[-8:], "--processing", str(tmp_path / "q"))
    assert (asked.returncode, "no movies are left to process" in asked.stderr) == (1, True)
    words += ["--set", 'import.patterns=["a.mrc"]', "--resume", "--json"]
    assert [one["name"] for one in json.loads(command(*words).stdout)] == ["a", "a_Fractions"]


def test_what_is_assumed_contradicts_or_is_unlikely_is_told_once(
    movies: Path, tmp_path: Path, command: Command
) -> None:
    files = [tmp_path / f"{number}.mrc" for number in range(3)]
    for file in files:
        file.write_bytes((movies / "one" / "a.mrc").read_bytes())
        file.with_suffix(".mrc.mdoc").write_text("[FrameSet = 0]\nPixelSpacing = 1.1\nVoltage = 200\n")
    words = ["process", *map(str, files), "--processing", str(tmp_path / "p"), "--device", "cpu", *QUICK]
    told = command(*words, "--set", "ctf.voltage=300", "--set", "import.dose_per_frame=150").stderr.splitlines()
    for text in (
        "ctf.voltage is 300 kV, and the metadata says 200 kV (3 movies)",
        "the metadata says pixels of 1.1 Å, and the header says 2 Å (3 movies)",
        "the dose of 150 e⁻/Å² a frame makes over 300 e⁻/Å² in all, which is unlikely; set import.dose_per_frame, "
        "which weighs frames by dose",
    ):
        assert told.count(text) == 1, text
    assumed = "the dose is assumed to be 1 e⁻/Å² a frame, as neither settings nor metadata tell it"
    assert command(*words).stderr.count(assumed) == 1


def test_a_movie_given_as_gain_is_refused_once(movies: Path, tmp_path: Path, command: Command) -> None:
    gain = movies / "one" / "b.mrc"
    words = ["process", *files_of(movies), "--processing", str(tmp_path / "p"), "--set", f"import.gain_path={gain}"]
    done = command(*words, "--device", "cpu", *QUICK)
    assert done.returncode == 1
    assert done.stderr.count("holds 3 frames, so it is a movie; give a file of one image") == 1
    assert not (tmp_path / "p" / "records").exists()


def test_it_says_which_movies_are_filtered_out_and_why(movies: Path, tmp_path: Path, command: Command) -> None:
    words = ["process", *files_of(movies)[:2], "--processing", str(tmp_path / "p"), "--device", "cpu", *QUICK]
    words += ["--set", 'filter.limits={"input.frames": [4, null]}']
    done = command(*words)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("a: filtered out: frames 3 is below 4") == 1
    assert "2 of 2 movies are filtered out, and are in no STAR file" in done.stderr
    again = json.loads(command(*words, "--json", "--resume").stdout)
    assert [(one["status"], one["filter_reasons"]) for one in again] == [("filtered_out", ["frames 3 is below 4"])] * 2


def test_other_settings_run_their_steps_alone_and_a_lost_file_its_own(
    movies: Path, tmp_path: Path, command: Command
) -> None:
    one = str(movies / "one" / "a.mrc")
    words = ["process", one, "--processing", str(tmp_path), "--json", *OPTIONS]

    def ran(*more: str) -> list[str]:
        outcomes = json.loads(command(*words, *more).stdout)
        return list(outcomes[0]["ran"])

    assert ran() == ["motion", "ctf", "picking", "export"]
    assert ran("--resume") == []
    assert ran("--resume", "--set", "picking.threshold=0.9") == ["picking", "export"]
    (tmp_path / "powerspectrum" / "a.json").unlink()
    assert "ctf" in ran("--resume", "--set", "picking.threshold=0.9")
    assert ran("--resume", "--set", "picking.diameter=null") == ["export"]
    items = json.loads((tmp_path / "processed_items.json").read_text())
    assert items[0]["Particles"] is None  # of a step that is switched off now


def test_a_directory_that_is_in_use_or_a_sessions_is_refused(movies: Path, tmp_path: Path, command: Command) -> None:
    words = ["process", str(movies / "one" / "a.mrc"), "--processing", str(tmp_path), "--device", "cpu"]
    with locked(tmp_path):
        done = command(*words)
    assert done.returncode == 1
    assert "in use" in done.stderr
    (tmp_path / ".warpcore" / "state.db").touch()
    done = command(*words)
    assert done.returncode == 1
    assert "belongs to a session" in done.stderr


def test_files_may_be_named_from_another_folder(
    movies: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = os.path.relpath(movies / "one" / "a.mrc", tmp_path)
    assert named.startswith("..")
    done = command("process", named, "--processing", "x/../p", "--data", f"{named}/../..", "--device", "cpu", *QUICK)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p" / "records" / "one" / "a.json").exists()
    assert json.loads((tmp_path / "p" / "settings.json").read_text())["import"]["data"] == str(movies)


def test_a_folder_of_movies_is_refused_in_one_line(movies: Path, tmp_path: Path, command: Command) -> None:
    done = command("process", str(movies), "--processing", str(tmp_path / "p"), "--device", "cpu")
    assert done.returncode == 1
    assert done.stderr == f"warpcore: {movies} is a directory; name its movies, such as {movies}/*.tif\n"


def test_movies_of_another_data_directory_are_refused(movies: Path, tmp_path: Path, command: Command) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "settings.json").write_text(json.dumps({"import": {"data": str(movies / "two")}}))
    done = command("process", str(movies / "one" / "a.mrc"), "--processing", str(tmp_path / "p"), "--device", "cpu")
    assert done.returncode == 1
    assert f"{movies / 'one' / 'a.mrc'} is not below {movies / 'two'}" in done.stderr


def test_a_movies_average_given_as_gain_is_refused(tmp_path: Path, command: Command) -> None:
    for name, frames in (("a.mrc", np.ones((2, 64, 64), np.int16)), ("a_sum.mrc", np.ones((64, 64), np.float32))):
        mrcfile.write(tmp_path / name, frames, voxel_size=2.0)
    given = f"import.gain_path={tmp_path / 'a_sum.mrc'}"
    done = command("process", str(tmp_path / "a.mrc"), "--processing", str(tmp_path / "p"), "--set", given)
    assert done.returncode == 1
    assert "it looks like an average of a.mrc" in done.stderr
