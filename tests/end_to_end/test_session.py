"""One small session as a user has it: good and bad movies, settings changed and back, all seen from outside."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import starfile
import tifffile
from movies_for_tests import write_movie

from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]
OPENED_FILES = Path(__file__).with_name("opened_files")
GOOD = 3
SETTINGS = (
    "picking.diameter=130",
    "filter.resolution_max=null",
    "filter.motion_max=null",
    "import.pixel_size=2.2",
    "import.dose_per_frame=3",
)


def simulate(folder: Path) -> Path:
    """Three small movies of real particles with their gain; its path."""
    options = SimulationOptions(
        frames=8,
        height=512,
        width=512,
        pixel_size_angstrom=2.2,
        dose_per_frame=3.0,
        particles=15,
        defocus_um=(1.2, 2.0),
    )
    simulate_movies(folder, GOOD, options=options, seed=3)
    return folder / "gain.mrc"


def add_bad_movies(folder: Path) -> dict[str, str]:
    """Every kind of bad input; name and a word that its error must hold."""
    rng = np.random.default_rng(1)
    good = rng.poisson(3, (6, 512, 512)).astype(np.uint8)
    write_movie(folder / "wrong_size.tif", good[:, :256, :384])
    write_movie(folder / "whole.tif", good)
    (folder / "truncated.tif").write_bytes((folder / "whole.tif").read_bytes()[:-20_000])
    (folder / "whole.tif").unlink()
    (folder / "empty.tif").write_bytes(b"")
    (folder / "text.tif").write_text("this is no movie\n" * 100)
    nan = good.astype(np.float32)
    nan[:, :100] = np.nan
    tifffile.imwrite(folder / "nan.tif", nan)
    return {"wrong_size": "gain", "truncated": "truncated", "empty": "empty", "text": "TIFF", "nan": "NaN"}


def tapped(log: Path, topic: str) -> list[dict[str, Any]]:
    """The events of a topic that `warpcore tap --json` has printed so far; the last line may be half there."""
    whole, _, _ = log.read_text().rpartition("\n")
    events = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
    return [event for event in events if event["topic"] == topic]


def runs(log: Path) -> list[tuple[str, tuple[str, ...]]]:
    """Movie and steps of each finished task."""
    return [(event["body"]["movie"], tuple(event["body"]["steps"])) for event in tapped(log, "task.finished")]


def finished(session: Any, log: Path, wait_until: Callable[..., None]) -> list[tuple[str, tuple[str, ...]]]:
    """The runs up to now, once the tap has printed all that has happened."""
    now = session.get("/api/items/timestamp")["seq"]

    def last_told() -> int:
        whole, _, _ = log.read_text().rpartition("\n")
        return max((json.loads(line)["seq"] for line in whole.splitlines()), default=0)

    wait_until(lambda: last_told() >= now, 30, "all events on the tap")
    return runs(log)


@pytest.mark.timeout(1200)
def test_a_session_with_bad_movies_and_changed_settings(
    up: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, processing = tmp_path / "data", tmp_path / "processing"
    data.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(OPENED_FILES), prepend=os.pathsep)
    monkeypatch.setenv("WATCHED", os.pathsep.join(map(str, (data, processing))))
    monkeypatch.setenv("NOTED", str(tmp_path / "opened.txt"))
    gain = simulate(data)
    expected_words = add_bad_movies(data)
    one_frame = np.random.default_rng(2).poisson(20, (1, 512, 512)).astype(np.uint8)
    write_movie(data / "one_frame.tif", one_frame)
    count = GOOD + len(expected_words) + 1
    assignments = [part for one in (*SETTINGS, f"import.gain_path={gain}") for part in ("--set", one)]
    session = up(
        *(data, processing, "--workers", "1", "--paused", "--incubation", "0.2", "--give-up", "1"),
        *("--log-format", "json"), *assignments,
        "--set", 'import.patterns=["*.tif", "one_frame.tif"]',
    )  # fmt: skip

    log = tmp_path / "tap.jsonl"
    with log.open("wb") as out:
        tap = subprocess.Popen([*WARPCORE, "tap", "--json", *session.ports[-2:]], stdout=out)
    text_log = tmp_path / "tap.txt"
    with text_log.open("wb") as out:
        text_tap = subprocess.Popen([*WARPCORE, "tap", "movie.done", "settings", *session.ports[-2:]], stdout=out)
    try:
        wait_until(lambda: len(tapped(log, "service.heartbeat")) > 0, 30, "an event on the tap")
        wait_until(lambda: len(session.statuses()) == count, 30, f"{count} movies found")
        assert set(session.statuses().values()) == {"unprocessed"}
        session.http.post("/api/processing/start").raise_for_status()
        wait_until(lambda: session.settled(count), 200, "all movies done")

        bad_ones_have_failed_and_say_why(session.items(), expected_words)
        all_outputs_agree(session, wait_until)
        logs_are_json_and_tell_what_they_concern(session, wait_until)
        settings_rerun_what_they_touch_and_no_more(session, log, wait_until)
        picking_alone_runs_when_it_is_toggled_on(session, log, wait_until)
        another_threshold_chooses_among_kept_scores(session, log, wait_until)
        a_movie_that_comes_late_is_done_too(session, log, wait_until)
        an_export_job_makes_what_it_was_asked_for(session, wait_until)
        finished(session, log, wait_until)
    finally:
        for one in (tap, text_tap):
            one.terminate()
            one.wait(timeout=120)
    the_tap_has_shown_every_kind_of_event(log, text_log)
    assert session.stop() == 0
    every_file_is_judged_before_it_is_opened(tmp_path / "opened.txt")


def every_file_is_judged_before_it_is_opened(noted: Path) -> None:
    """By the one function that decides it, in every service."""
    lines = set(noted.read_text().splitlines())
    judging = {line for line in lines if line.endswith(" judges")}
    for service in ("scheduler", "discoverer", "tracker", "server.py", "compute.py"):
        assert any(service in line for line in judging), service
    assert not lines - judging


def logs_are_json_and_tell_what_they_concern(session: Any, wait_until: Callable[..., None]) -> None:
    """One object a line, in what `up` prints too; REST has the worker's lines as its file has them."""
    logs = session.processing / "logs"
    events = [event for file in (*logs.glob("*.log"), session.log) for event in logged(file)]
    assert all({"time", "level", "logger", "message"} <= event.keys() for event in events)
    (worker,) = session.get("/api/workers")["workers"]
    told = [line["text"] for line in session.get(f"/api/workers/{worker['id']}/logs")["lines"]]

    def written() -> list[str]:
        return [line for event in logged(logs / "worker-1.log") for line in event["message"].splitlines()]

    wait_until(lambda: len(written()) >= len(told), what="the worker's lines in its file")
    assert told == written()[: len(told)]
    assert any(line.startswith(f"worker {worker['id']} serves the scheduler") for line in told)
    assert {event["worker"] for event in logged(logs / "worker-1.log")} == {worker["id"]}


def logged(file: Path) -> list[dict[str, Any]]:
    """The events in a log; the last line may be half there."""
    whole, _, _ = file.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def bad_ones_have_failed_and_say_why(items: dict[str, Any], expected_words: dict[str, str]) -> None:
    for name, word in expected_words.items():
        failure = items[name]["failure"]
        assert items[name]["status"] == "failed", name
        assert failure["kind"] == "input", failure
        assert failure["step"] == "load", failure
        assert word.lower() in failure["message"].lower(), failure
        assert f"{name}.tif" in failure["message"], failure
    assert items["one_frame"]["status"] in ("processed", "filtered_out")
    assert items["one_frame"]["results"]["motion"]["skipped"] is True


def all_outputs_agree(session: Any, wait_until: Callable[..., None]) -> None:
    processing, items = session.processing, session.items()
    good = sorted(name for name, item in items.items() if item["status"] in ("processed", "filtered_out"))
    lists = [processing / name for name in ("processed_items.json", "failed_items.json", "micrographs_ctf.star")]
    wait_until(lambda: all(path.exists() for path in lists), 20, "the tracker's lists")
    for name in good:
        for path in (f"{name}.xml", f"average/{name}.mrc", f"thumbnails/{name}.png", f"motion/{name}.star"):
            assert (processing / path).stat().st_size > 0, path
        assert (processing / f"matching/{name}_picks.star").exists()


def agreed(session: Any) -> bool:
    """Whether JSON, STAR and status say the same of every movie."""
    items = session.items()
    listed = json.loads((session.processing / "processed_items.json").read_text())
    failed = json.loads((session.processing / "failed_items.json").read_text())
    if {row["Path"] for row in failed} != {item["path"] for item in items.values() if item["status"] == "failed"}:
        return False
    passing = {f"average/{name}.mrc": item for name, item in items.items() if item["status"] == "processed"}
    passing = {name: item for name, item in passing.items() if item["results"]["ctf"]["failure"] is None}
    assert len(passing) == GOOD
    rows = starfile.read(session.processing / "micrographs_ctf.star", always_dict=True)["micrographs"]
    if {*rows["rlnMicrographName"]} != {*passing}:
        return False
    by_path = {row["Path"]: row for row in listed}
    for _, row in rows.iterrows():
        item = passing[row["rlnMicrographName"]]
        fitted = item["results"]["ctf"]
        if abs(row["rlnDefocusU"] - fitted["defocusUAngstrom"]) > 0.01:
            return False
        # None while the list is of before the movie ran again.
        defocus = by_path.get(item["path"], {}).get("Defocus")
        if defocus is None or abs(defocus - fitted["defocusUm"]) > 1e-4:
            return False
    return True


def settings_rerun_what_they_touch_and_no_more(session: Any, log: Path, wait_until: Callable[..., None]) -> None:
    wait_until(lambda: agreed(session), 20, "JSON, STAR and status in agreement")
    good = {name for name, item in session.items().items() if item["status"] in ("processed", "filtered_out")}
    before, first = len(finished(session, log, wait_until)), session.items()
    settings = session.get("/api/settings")
    old = settings["ctf"]["range_max"]
    session.http.patch("/api/settings", json={"ctf": {"range_max": 6.0}}).raise_for_status()
    wait_until(lambda: len(runs(log)) - before == len(good) and session.settled(1), 120, "the CTF done again")
    again = runs(log)[before:]
    assert {movie for movie, _ in again} == good
    assert {steps for _, steps in again} == {("ctf", "picking", "export")}
    assert session.items() != first

    session.http.patch("/api/settings", json={"ctf": {"range_max": old}}).raise_for_status()
    wait_until(lambda: session.settled(1), 30, "the old results back")
    assert len(finished(session, log, wait_until)) == before + len(good)
    assert measured(session.items()) == measured(first)
    wait_until(lambda: agreed(session), 20, "JSON, STAR and status in agreement")


def measured(items: dict[str, Any]) -> dict[str, Any]:
    """The results of all movies, without how they were processed."""
    return {
        name: {step: result for step, result in item["results"].items() if step != "run"}
        for name, item in items.items()
    }


def picking_alone_runs_when_it_is_toggled_on(session: Any, log: Path, wait_until: Callable[..., None]) -> None:
    good = {name for name, item in session.items().items() if item["status"] in ("processed", "filtered_out")}
    before = len(finished(session, log, wait_until))
    session.http.patch("/api/settings", json={"picking": {"enabled": False}}).raise_for_status()
    patch = {"picking": {"enabled": True, "diameter": 140.0}}
    session.http.patch("/api/settings", json=patch).raise_for_status()
    wait_until(lambda: len(runs(log)) - before >= len(good) and session.settled(1), 60, "picking done again")
    assert {(movie, steps) for movie, steps in runs(log)[before:]} == {(name, ("picking",)) for name in good}


def another_threshold_chooses_among_kept_scores(session: Any, log: Path, wait_until: Callable[..., None]) -> None:
    good = {name for name, item in session.items().items() if item["status"] in ("processed", "filtered_out")}
    before = len(finished(session, log, wait_until))
    session.http.patch("/api/settings", json={"picking": {"threshold": 0.3}}).raise_for_status()
    wait_until(lambda: len(runs(log)) - before >= len(good) and session.settled(1), 60, "the new threshold")
    assert {(movie, steps) for movie, steps in runs(log)[before:]} == {(name, ("picking",)) for name in good}
    for name, item in session.items().items():
        if name in good:
            kept = json.loads((session.processing / f"matching/{name}_picks.json").read_text())
            found = item["results"]["picking"]
            assert found["count"] == sum(score >= 0.3 for score in kept["scores"])
            assert found["scoreHistogram"] == kept["score_histogram"]
    told = [
        event["body"]["message"] for event in tapped(log, "task.progress") if "scores kept" in event["body"]["message"]
    ]
    assert told


def a_movie_that_comes_late_is_done_too(session: Any, log: Path, wait_until: Callable[..., None]) -> None:
    frames = np.random.default_rng(5).poisson(3, (2, 512, 512)).astype(np.uint8)
    write_movie(session.data / "late.tif", frames)
    write_movie(session.data / "gone.tif", frames)
    wait_until(lambda: {"late", "gone"} <= {*session.statuses()} and session.settled(1), 60, "the late movies")
    (session.data / "gone.tif").unlink()
    wait_until(lambda: tapped(log, "file.vanished"), 20, "the file seen to vanish")


def the_tap_has_shown_every_kind_of_event(log: Path, text_log: Path) -> None:
    families = {
        "file": ("seen", "incubating", "ready", "vanished"),
        "movie": ("added", "status", "done", "failed"),
        "task": ("assigned", "progress", "finished"),
        "worker": ("registered", "heartbeat", "idle", "busy", "log"),
        "processing": ("started",),
        "settings": ("changed",),
        "export": ("started", "progress", "done"),
        "service": ("heartbeat",),
    }
    wanted = {f"{family}.{name}" for family, names in families.items() for name in names}
    shown = {json.loads(line)["topic"] for line in log.read_text().splitlines()}
    # A worker registers when it starts, before there is a tap.
    assert wanted - shown <= {"worker.registered", "worker.log"}
    seqs = [event["seq"] for event in map(json.loads, log.read_text().splitlines()) if event["seq"]]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    lines = text_log.read_text().splitlines()
    assert lines
    assert all("movie.done" in line or "settings.changed" in line for line in lines)


def an_export_job_makes_what_it_was_asked_for(session: Any, wait_until: Callable[..., None]) -> None:
    for kind, options in (
        ("micrographs", {"halves": True, "stack": True, "deconvolution": True}),
        ("particles", {"box_size": 64}),
    ):
        answer = session.http.post(f"/api/export/{kind}", json={"options": options})
        assert answer.status_code == 202, answer.text
        job = answer.json()["job"]
        wait_until(lambda job=job: session.get(f"/api/export/{job}")["state"] == "done", 90, f"the export of {kind}")
        files = session.get(f"/api/export/{job}")["files"]
        assert files
        for file in files:
            came = session.http.get(f"/api/export/{job}/files/{file}").raise_for_status()
            assert came.content == (session.processing / file).read_bytes()
        packed = session.http.get(f"/api/exports/{job}/archive").raise_for_status().content
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            assert archive.getnames() == files
    listed = session.http.get(f"/api/exports/{job}/particles.star").raise_for_status().content
    assert listed == (session.processing / f"particles/{job}/particles.star").read_bytes()
    particles = starfile.read(session.processing / f"particles/{job}/particles.star")["particles"]
    stacks = {name.split("@")[1] for name in particles["rlnImageName"]}
    assert all((session.processing / stack).is_file() for stack in stacks)
