"""The tracker's decisions: what is due when, and the texts of the files."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import starfile

from tests.services.tracker.movies import movie, named
from warpcore.bus.envelope import Envelope
from warpcore.bus.follower import Event, Reset
from warpcore.bus.messages import ExportEvent, ExportJob, Failure, Movie, MovieEvent, SettingsEvent
from warpcore.services.session.settings import Settings, patch_settings
from warpcore.services.session.tables import (
    AUTOPICK,
    CORRECTED,
    CTF,
    FAILED_ITEMS,
    MOVIES,
    PARTICLES,
    PROCESSED_ITEMS,
    SETTINGS,
    STAR_FILES,
)
from warpcore.services.tracker.state import TrackerState

JSON = [PROCESSED_ITEMS, FAILED_ITEMS]
FAILURE = Failure("input", "load", "it is empty", "host")


def reset(movies: Iterable[Movie] = (), patch: dict[str, Any] | None = None, seq: int = 1) -> Reset:
    return Reset(seq, "e", list(movies), patch_settings(Settings(), patch or {}).to_dict(), 1, False)


def told(one: Movie, topic: str = "movie.status") -> Event:
    return Event(Envelope(topic, MovieEvent(one).to_body(), "scheduler", seq=9))


def settings(patch: dict[str, Any]) -> Event:
    body = SettingsEvent(patch_settings(Settings(), patch).to_dict(), 2, []).to_body()
    return Event(Envelope("settings.changed", body, "scheduler", seq=9))


def started(*movies: Movie, **patch: Any) -> TrackerState:
    """A tracker that has written everything of a first reset at time 0."""
    state = TrackerState("/processing")
    state.apply(reset(movies, patch), 0.0)
    state.set_directories("/data", "/processing", 0.0)
    settle(state, 5.0)
    return state


def settle(state: TrackerState, now: float) -> list[str]:
    due = state.due(now)
    for name in due:
        state.begun(name)
        state.written(name, now)
    return due


def blocks(text: str, tmp_path: Any) -> dict[str, Any]:
    (tmp_path / "x.star").write_text(text)
    return starfile.read(tmp_path / "x.star", always_dict=True)  # type: ignore[no-any-return]


def test_nothing_is_written_before_the_state_is_known() -> None:
    state = TrackerState("/processing")
    state.apply(told(movie(1)), 0.0)
    assert state.due(100.0) == []


def test_a_reset_makes_everything_due_and_star_files_wait_for_the_directories() -> None:
    state = TrackerState("/processing")
    state.apply(reset([movie(1)]), 0.0)
    assert state.due(0.9) == []
    assert state.due(1.0) == [*JSON, SETTINGS]
    state.set_directories("/data", "/processing", 1.0)
    assert state.due(2.0) == [*JSON, *STAR_FILES, SETTINGS]


def test_files_are_named_as_the_schedulers_host_sees_them(tmp_path: Path) -> None:
    state = TrackerState("/mnt/here")
    state.apply(reset([movie(1)], {"export": {"mtf_path": "/there/results/mtf.star"}}), 0.0)
    state.set_directories("/there/results/raw", "/there/results", 0.0)
    settle(state, 5.0)
    written = blocks(state.text(MOVIES), tmp_path)
    assert written["movies"].rlnMicrographMovieName.tolist() == ["raw/grid/m1.tif"]
    assert written["optics"].rlnMtfFileName.tolist() == ["mtf.star"]
    state.set_directories("/there/results/raw", "/moved", 6.0)
    assert settle(state, 10.0) == list(STAR_FILES)
    assert "/there/results/raw/" in state.text(MOVIES)


def test_changes_wait_for_others_but_never_longer_than_the_limit() -> None:
    state, now, written = started(movie(1)), 10.0, []
    while now < 40.0:
        state.apply(told(movie(1, results={"picking": {"count": round(now * 100)}})), now)
        if settle(state, now):
            written.append(now)
        now += 0.5
    gaps = [later - earlier for earlier, later in zip([10.0, *written], written, strict=False)]
    assert len(written) >= 3
    assert max(gaps) <= 10.0
    assert settle(state, now + 1.0)
    assert settle(state, now + 100.0) == []


def test_only_files_that_would_differ_are_due() -> None:
    state = started(movie(1, status="unprocessed", results={}))
    state.apply(told(movie(1, status="queued", results={})), 10.0)
    state.apply(told(movie(1, status="processing", results={})), 10.0)
    assert settle(state, 20.0) == []
    state.apply(told(movie(1)), 30.0)
    assert settle(state, 40.0) == [PROCESSED_ITEMS, *STAR_FILES]
    state.apply(told(movie(1, selection="exclude")), 50.0)
    assert settle(state, 60.0) == [PROCESSED_ITEMS, *STAR_FILES]
    state.apply(told(movie(1, status="failed", failure=FAILURE, selection="exclude")), 70.0)
    assert settle(state, 80.0) == JSON


def test_failed_movies_are_in_their_own_file_which_becomes_empty_again() -> None:
    state = started(movie(1), movie(2, status="failed", failure=FAILURE, results={}))
    assert [one["Path"] for one in json.loads(state.text(PROCESSED_ITEMS))] == ["grid/m1.tif"]
    (failed,) = json.loads(state.text(FAILED_ITEMS))
    assert (failed["Path"], failed["Error"], failed["Step"]) == ("grid/m2.tif", "it is empty", "load")
    state.apply(told(movie(2, status="queued", results={})), 10.0)
    assert settle(state, 20.0) == JSON
    assert state.text(FAILED_ITEMS) == "[]\n"
    assert [one["ProcessingStatus"] for one in json.loads(state.text(PROCESSED_ITEMS))] == [1, 3]


def test_movies_stand_in_the_order_of_their_numbers_however_they_come() -> None:
    state = started(movie(5), movie(2))
    state.apply(told(movie(9, status="unprocessed", results={}), "movie.added"), 10.0)
    state.apply(told(movie(3, status="unprocessed", results={}), "movie.added"), 10.0)
    paths = [one["Path"] for one in json.loads(state.text(PROCESSED_ITEMS))]
    assert paths == [f"grid/m{number}.tif" for number in (2, 3, 5, 9)]


def test_star_files_hold_accepted_movies_and_agree_with_each_other(tmp_path: Any) -> None:
    state = started(
        named(1),
        named(2, status="filtered_out", filter_reasons=["too bad"]),
        named(3, status="filtered_out", filter_reasons=["too bad"], selection="include"),
        named(4, selection="exclude"),
        named(5, status="outdated"),
        named(6, status="failed", failure=FAILURE),
    )
    wanted = ["average/grid/m1.mrc", "average/grid/m3.mrc"]
    for name, block in ((CORRECTED, "micrographs"), (CTF, "micrographs"), (AUTOPICK, "coordinate_files")):
        read = blocks(state.text(name), tmp_path)
        assert read[block]["rlnMicrographName"].tolist() == wanted
    read = blocks(state.text(MOVIES), tmp_path)
    assert read["movies"]["rlnMicrographMovieName"].tolist() == ["/data/grid/m1.tif", "/data/grid/m3.tif"]
    assert list(blocks(state.text(CORRECTED), tmp_path)["micrographs"])[-2:] == [
        "rlnMicrographNameEven",
        "rlnMicrographNameOdd",
    ]


def test_halves_are_named_only_where_all_have_them(tmp_path: Any) -> None:
    second = named(2)
    without = {**second.results, "export": {**second.results["export"], "even": None, "odd": None}}
    state = started(named(1), named(2, results=without))
    assert "rlnMicrographNameEven" not in blocks(state.text(CORRECTED), tmp_path)["micrographs"]


def test_movies_of_another_pixel_size_are_another_optics_group(tmp_path: Any) -> None:
    other = named(2)
    finer = {**other.results, "input": {**other.results["input"], "pixel_size_angstrom": 0.5}}
    state = started(named(1), named(2, results=finer), named(3))
    read = blocks(state.text(CTF), tmp_path)
    assert read["optics"]["rlnMicrographPixelSize"].tolist() == [1.0, 0.5]
    assert read["micrographs"]["rlnOpticsGroup"].tolist() == [1, 2, 1]
    state.apply(told(named(1, selection="exclude")), 10.0)
    read = blocks(state.text(CTF), tmp_path)
    assert read["optics"]["rlnMicrographPixelSize"].tolist() == [0.5, 1.0]
    assert read["micrographs"]["rlnOpticsGroup"].tolist() == [1, 2]


def test_the_scheduler_s_optics_groups_stand_in_all_lists_in_the_order_of_their_numbers(tmp_path: Any) -> None:
    state = started(named(1, optics_group=3), named(2, optics_group=1), named(3, optics_group=3))
    for name in (MOVIES, CORRECTED, CTF):
        read = blocks(state.text(name), tmp_path)
        assert read["optics"]["rlnOpticsGroup"].tolist() == [1, 3]
        assert read["optics"]["rlnOpticsGroupName"].tolist() == ["opticsGroup1", "opticsGroup3"]
        (rows,) = [block for key, block in read.items() if key != "optics"]
        assert rows["rlnOpticsGroup"].tolist() == [3, 1, 3]


def test_a_movie_that_moves_to_another_group_makes_the_lists_due(tmp_path: Any) -> None:
    state = started(named(1), named(2))
    settle(state, 5.0)
    state.apply(settings({"export": {"particles": True}}), 10.0)
    settle(state, 20.0)
    state.apply(told(named(2, optics_group=2)), 30.0)
    assert settle(state, 200.0) == [*STAR_FILES, PARTICLES]
    assert blocks(state.text(CORRECTED), tmp_path)["micrographs"]["rlnOpticsGroup"].tolist() == [1, 2]
    assert state.groups_of_averages() == {"average/grid/m1.mrc": 1, "average/grid/m2.mrc": 2}


def test_another_voltage_changes_the_optics(tmp_path: Any) -> None:
    state = started(named(1))
    state.apply(settings({"ctf": {"voltage": 200.0}}), 10.0)
    assert settle(state, 20.0) == [*STAR_FILES, SETTINGS]
    assert blocks(state.text(MOVIES), tmp_path)["optics"]["rlnVoltage"].tolist() == [200.0]


def test_particles_are_due_only_while_they_are_exported_and_cost_a_bounded_share() -> None:
    state = started(named(1))
    state.apply(told(named(2)), 10.0)
    assert PARTICLES not in settle(state, 20.0)
    assert state.particle_files() == []
    state.apply(settings({"export": {"particles": True}}), 30.0)
    assert state.due(40.0) == [PARTICLES, SETTINGS]
    state.begun(SETTINGS)
    assert state.particle_files() == ["particles/grid/m1_picks.star", "particles/grid/m2_picks.star"]
    state.begun(PARTICLES)
    state.written(PARTICLES, 40.0, took_s=2.0)
    state.apply(told(named(3)), 41.0)
    assert settle(state, 55.0) == [PROCESSED_ITEMS, *STAR_FILES]
    assert settle(state, 79.9) == []
    assert settle(state, 80.1) == [PARTICLES]


def test_a_changed_file_is_due_again_but_no_particles_that_are_not_exported() -> None:
    state = started(named(1))
    assert state.changed([MOVIES, PARTICLES], 10.0) == [MOVIES]
    assert settle(state, 20.0) == [MOVIES]
    state.apply(settings({"export": {"particles": True}}), 30.0)
    assert settle(state, 40.0) == [PARTICLES, SETTINGS]
    assert state.changed([PARTICLES], 70.0) == [PARTICLES]


def test_particles_of_a_movie_that_was_done_again_are_collected_again() -> None:
    state = started(named(1), export={"particles": True})
    state.apply(told(named(1, status="processing")), 10.0)
    settle(state, 20.0)
    state.apply(told(named(1)), 30.0)
    assert PARTICLES in settle(state, 40.0)


def test_a_failed_write_is_tried_again_after_a_pause() -> None:
    state = started()
    state.apply(told(movie(1)), 10.0)
    due = state.due(12.0)
    assert due
    for name in due:
        state.begun(name)
        state.failed(name, 12.0, 1.0)
    assert state.due(12.5) == []
    assert state.due(13.0) == due


def test_a_change_while_a_file_is_written_has_it_written_again() -> None:
    state = started()
    state.apply(told(movie(1)), 10.0)
    due = state.due(12.0)
    for name in due:
        state.begun(name)
    state.apply(told(movie(2)), 12.1)
    for name in due:
        state.written(name, 12.2)
    assert state.due(13.5) == due


def test_every_file_has_its_turn_while_movies_change_faster_than_files_are_written() -> None:
    state, now, turns = started(named(1)), 10.0, []
    for count in range(200):
        state.apply(told(named(1, selection="auto" if count % 2 else "exclude")), now)
        if due := state.due(now):
            state.begun(due[0])
            state.written(due[0], now)
            turns.append((due[0], now))
        now += 0.5
    for name in (PROCESSED_ITEMS, *STAR_FILES):
        times = [10.0, *(at for written, at in turns if written == name), now]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert max(gaps) <= 11.0
        assert min(gaps[1:-1]) >= 8.0, "not more often than changes may wait"


def test_a_file_that_cannot_be_written_keeps_no_other_from_being_written() -> None:
    state, now, written = started(), 12.0, []
    state.apply(told(movie(1)), 10.0)
    while now < 30.0:
        for name in state.due(now)[:1]:
            state.begun(name)
            if name == PROCESSED_ITEMS:
                state.failed(name, now, 1.0)
            else:
                state.written(name, now)
                written.append(name)
        now += 0.5
    assert written == list(STAR_FILES)


def test_a_new_reset_forgets_what_is_gone() -> None:
    state = started(movie(1), movie(2))
    state.apply(reset([movie(2)], seq=50), 10.0)
    assert settle(state, 11.5) == [*JSON, *STAR_FILES, SETTINGS]
    assert [one["Path"] for one in json.loads(state.text(PROCESSED_ITEMS))] == ["grid/m2.tif"]


def test_selection_goes_into_the_xml_but_not_while_a_worker_may_write_it() -> None:
    state = started(movie(1, selection="exclude"), movie(2, status="unprocessed", results={}))
    assert state.selections == {"grid/m1": (False, True)}
    state.apply(told(movie(1, status="processing")), 10.0)
    assert state.selections == {}
    state.apply(told(movie(1, status="filtered_out", filter_reasons=["x"])), 11.0)
    assert state.selections == {"grid/m1": (True, None)}


def test_jobs_wait_to_be_collected() -> None:
    state = started()
    job = ExportJob("job-1", "particles", "collecting", 1, 1, 0, {})
    state.apply(Event(Envelope("export.collecting", ExportEvent(job).to_body(), "s", seq=3)), 1.0)
    assert state.collecting == {"job-1"}
    state.apply(Event(Envelope("export.done", ExportEvent(job).to_body(), "s", seq=4)), 1.0)
    assert state.collecting == set()


def test_an_unreadable_event_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    state = started(movie(1))
    state.apply(Event(Envelope("movie.status", {"movie": {"id": "x"}}, "s", seq=4)), 10.0)
    assert "cannot be read" in caplog.text
    assert settle(state, 20.0) == []


def test_one_change_among_ten_thousand_movies_is_cheap() -> None:
    """Measured on a busy machine: 0.15 s of processor time for all texts after one change; limit 10 times that."""
    state = TrackerState("/processing")
    state.apply(reset([named(number) for number in range(1, 10_001)]), 0.0)
    state.set_directories("/data", "/processing", 0.0)
    before = [state.text(name) for name in (*JSON, *STAR_FILES)]
    state.apply(told(named(77, selection="exclude")), 1.0)
    begun = time.process_time()
    after = [state.text(name) for name in (*JSON, *STAR_FILES)]
    assert time.process_time() - begun < 1.5
    fewer = [one.count("\n") - other.count("\n") for one, other in zip(before, after, strict=True)]
    assert fewer == [0, 0, 1, 1, 1, 1]
