"""What a movie's header and metadata tell goes into its task, outdates it, or lets it wait; and is stored."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.services.scheduler_alarms import alarms, kinds
from tests.services.scheduler_world import CHAIN, World
from warpcore.bus import messages as wire
from warpcore.services.scheduler.core.invariants import validate
from warpcore.services.scheduler.core.lessons import Lessons
from warpcore.services.scheduler.core.notices import notes
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.fingerprints import FingerprintPlan
from warpcore.services.session.settings import Settings, parse_settings
from warpcore.services.steps.learning import EVIDENCE

HEADER = wire.Header(40, 512, 512, 1.1)
NO_PIXEL = wire.Header(40, 512, 512)
EPU = wire.Acquisition("a.xml", 1, "epu", voltage_kv=200.0, exposure_dose=50.0, hole="7")
UNKNOWN = "pixel size unknown: set import.pixel_size (a)"


def tell(
    world: World, path: str, acquisition: wire.Acquisition | None = None, header: wire.Header | None = HEADER
) -> Any:
    """What the discoverer says of a file."""
    return world.ask(wire.RegisterFiles([wire.FoundFile(path, 100, 5, header, acquisition)]))


def warnings(world: World) -> list[str]:
    """What status tells, without the notes of what is assumed."""
    return [text for text in world.ask(wire.GetProcessing()).warnings if text not in notes(world.state)]


def test_a_task_carries_what_is_told_and_where_it_comes_from() -> None:
    world = World(workers=("w",))
    tell(world, "a.tif", EPU)
    task = world.tasks["a"]
    assert task.settings["ctf"] | {"voltage": 200.0, "cs": 2.7} == task.settings["ctf"]
    assert task.settings["import"] | {"pixel_size": 1.1, "dose_per_frame": 1.25} == task.settings["import"]
    assert task.metadata == "a.xml"
    assert task.sources == {
        "ctf.voltage": "metadata",
        "ctf.cs": "assumed",
        "import.pixel_size": "header",
        "import.dose_per_frame": "metadata",
    }
    assert world.ask(wire.GetSettings()).settings["ctf"]["voltage"] is None, "the session's own stay as they are"


def test_metadata_that_come_later_and_differ_outdate_the_movie_as_a_setting_does() -> None:
    world = World(workers=("w",))
    tell(world, "a.tif")
    tell(world, "b.tif")
    world.finish("a")
    world.finish("b")
    assert tell(world, "a.tif", EPU) == wire.FilesRegistered(0, 1, 0)
    assert world.status("a") == "queued", "it is given to the worker at once"
    assert world.tasks["a"].run == CHAIN
    assert world.status("b") == "processed"
    world.finish("a")
    same = wire.Acquisition("a.xml", 2, "epu", voltage_kv=200.0, exposure_dose=50.0, hole="8")
    tell(world, "a.tif", same)
    assert world.status("a") == "processed", "another place runs nothing"
    assert world.state.by_name["a"].acquisition == same
    tell(world, "a.tif", header=None)
    assert world.state.by_name["a"].acquisition == same, "nothing told is no news"


def test_metadata_that_say_what_was_assumed_run_nothing() -> None:
    world = World(workers=("w",))
    tell(world, "a.tif")
    world.finish("a")
    tell(world, "a.tif", wire.Acquisition("a.xml", 1, "epu", voltage_kv=300.0, cs_mm=2.7, exposure_dose=40.0))
    assert world.status("a") == "processed"


def test_metadata_that_come_while_a_movie_runs_count_once_it_has_ended() -> None:
    world = World(workers=("w",))
    tell(world, "a.tif")
    world.progress("a")
    first = world.tasks["a"]
    tell(world, "a.tif", EPU)
    assert world.status("a") == "processing"
    assert world.cancelled == []
    world.finish("a")
    assert world.tasks["a"].lease > first.lease
    assert world.tasks["a"].settings["ctf"]["voltage"] == 200.0


def test_metadata_give_a_failed_movie_another_chance_where_they_differ() -> None:
    world = World(workers=("w",))
    tell(world, "a.tif")
    world.fail("a", "input")
    tell(world, "a.tif", wire.Acquisition("a.xml", 1, "epu", hole="7"))
    assert world.status("a") == "failed"
    tell(world, "a.tif", EPU)
    assert world.status("a") == "queued"


def test_a_movie_without_pixel_size_waits_says_so_and_goes_on_once_it_is_set() -> None:
    world = World(workers=("w",))
    tell(world, "a.tif", header=NO_PIXEL)
    tell(world, "b.tif")
    assert (world.status("a"), world.status("b")) == ("unprocessed", "queued")
    assert warnings(world) == [UNKNOWN]
    world.wait(2.0, "w")
    (alarm,) = alarms(world)
    assert (alarm.subject, alarm.text, alarm.severity) == ("pixel size unknown", UNKNOWN, "critical")
    world.finish("b")
    world.patch(**{"import": {"pixel_size": 1.1}})
    assert world.status("a") == "queued"
    assert world.tasks["a"].settings["import"]["pixel_size"] == 1.1
    assert warnings(world) == []
    world.finish("a")
    world.wait(2.0, "w")
    assert alarms(world) == []


def test_metadata_end_the_wait_for_a_pixel_size_too() -> None:
    world = World(workers=("w",))
    tell(world, "a.tif", header=NO_PIXEL)
    tell(world, "a.tif", wire.Acquisition("a.xml", 1, "epu", pixel_size_angstrom=0.9), None)
    assert world.tasks["a"].settings["import"]["pixel_size"] == 0.9


def test_a_setting_that_is_taken_back_lets_movies_wait_again() -> None:
    world = World(settings=parse_settings({"import": {"pixel_size": 1.1}}))
    tell(world, "a.tif", header=NO_PIXEL)
    assert not warnings(world)
    world.patch(**{"import": {"pixel_size": None}})
    assert warnings(world) == [UNKNOWN]
    world.worker("w")
    assert world.status("a") == "unprocessed"


def test_movies_that_wait_for_a_pixel_size_do_not_keep_others_from_learning() -> None:
    """The choice of the session's first movies passes over them, as over failed ones."""
    world = World(workers=("w",))
    tell(world, "a.tif", header=NO_PIXEL)
    tell(world, "b.tif")
    world.finish("b")
    done = world.state.by_name["b"]
    done.results = {**done.results, "picking": {EVIDENCE: {"x": 1}}}
    waiting = world.state.by_name["a"]
    assert Lessons(["picking"], [waiting, done]).so_far("picking", 5) == [done.id]
    waiting.waits_for = ""
    assert Lessons(["picking"], [waiting, done]).so_far("picking", 5) == [], "one that can still tell is waited for"


def test_contradictions_are_alarms_with_both_values_one_for_each_kind() -> None:
    world = World(settings=parse_settings({"ctf": {"voltage": 300.0}, "import": {"pixel_size": 1.3}}))
    for number in range(5):
        tell(world, f"{number}.tif", wire.Acquisition(f"{number}.xml", 1, "epu", voltage_kv=200.0, magnification=105e3))
    tell(world, "x.tif", wire.Acquisition("x.xml", 1, "epu", voltage_kv=300.0, magnification=81e3))
    world.wait(2.0)
    found = {one.subject: one.text for one in alarms(world) if one.id.startswith("contradiction:")}
    assert found == {
        "ctf.voltage": "ctf.voltage is 300 kV, and the metadata says 200 kV (5 movies, 0 the first)",
        "import.pixel_size": "import.pixel_size is 1.3 Å, and the header says 1.1 Å (6 movies, 0 the first)",
        "magnification": "the magnification is 81,000, and that of 5 others 105,000 (x)",
    }
    world.ask(wire.SelectItem("x", "exclude"))
    world.patch(ctf={"voltage": None}, **{"import": {"pixel_size": None}})
    world.wait(2.0)
    assert "contradiction" not in kinds(world)


def test_settings_made_before_any_movie_that_cannot_work_with_them_are_one_alarm() -> None:
    world = World(settings=parse_settings({"motion": {"grid": [40, 40, 1]}, "picking": {"diameter": 800.0}}))
    world.wait(2.0)
    assert alarms(world) == []
    for number in range(3):
        tell(world, f"{number}.tif")
    world.wait(2.0)
    found = {one.id.partition(":")[2]: (one.severity, one.text) for one in alarms(world) if "unworkable:" in one.id}
    assert found.keys() == {"motion.grid", "picking.diameter"}
    severity, text = found["motion.grid"]
    assert severity == "critical"
    assert text.startswith("motion.grid = [40, 40, 1]: it must have at most 26 × 26 nodes along x and y")
    assert "automatic" in text
    world.patch(motion={"grid": None}, picking={"diameter": 150.0})
    world.wait(2.0)
    assert "unworkable" not in kinds(world)


def mixed(world: World) -> dict[str, str]:
    """The alarms of movies that differ, by the setting."""
    world.wait(2.0)
    return {one.subject: one.text for one in alarms(world) if one.id.startswith("mixed:")}


def test_a_movie_at_an_assumed_value_among_others_that_tell_another_is_an_alarm() -> None:
    world = World()
    for number in range(4):
        tell(world, f"{number}.tif", wire.Acquisition(f"{number}.xml", 1, "epu", voltage_kv=200.0, exposure_dose=40.0))
    assert mixed(world) == {}
    tell(world, "bare.tif")
    text = "nothing tells ctf.voltage of bare, processed at the assumed 300 kV, and others tell 200 kV; set ctf.voltage"
    assert mixed(world) == {"ctf.voltage": text}, "the dose that is assumed is that of the others"
    tell(world, "bare2.tif")
    assert "of 2 movies, bare the first, processed" in mixed(world)["ctf.voltage"]
    world.patch(ctf={"voltage": 200.0})
    assert mixed(world) == {}


@pytest.mark.parametrize(
    ("name", "usual", "near", "far", "told"),
    [
        ("voltage_kv", 200.0, 200.5, 300.0, "different voltages: 200 kV (4 movies, 0 the first), 300 kV (x)"),
        ("cs_mm", 2.7, 2.7, 0.01, "different spherical aberrations: 2.7 mm (4 movies, 0 the first), 0.01 mm (x)"),
        ("exposure_dose", 40.0, 55.0, 80.0, "different doses: 1 e⁻/Å² a frame (4 movies, 0 the first), 2 e⁻/Å²"),
        ("pixel_size_angstrom", 1.1, 1.11, 0.83, "different pixel sizes: 1.1 Å (4 movies, 0 the first), 0.83 Å (x)"),
    ],
)
def test_movies_that_tell_other_values_than_the_session_are_an_alarm(
    name: str, usual: float, near: float, far: float, told: str
) -> None:
    world = World()
    for number, value in enumerate((usual, usual, usual, near)):
        tell(world, f"{number}.tif", wire.Acquisition(f"{number}.xml", 1, "epu", **{name: value}))
    assert mixed(world) == {}
    tell(world, "x.tif", wire.Acquisition("x.xml", 1, "epu", **{name: far}))
    (text,) = mixed(world).values()
    assert told in text
    world.ask(wire.SelectItem("x", "exclude"))
    assert mixed(world) == {}


def test_what_is_assumed_for_all_movies_is_noted_in_status_and_is_no_alarm() -> None:
    world = World()
    tell(world, "a.tif")
    tell(world, "b.tif")
    voltage, dose = world.ask(wire.GetProcessing()).warnings
    assert voltage == "the voltage is assumed to be 300 kV, as neither settings nor metadata tell it; set ctf.voltage"
    assert "the dose is assumed to be 1 e⁻/Å² a frame" in dose
    world.wait(2.0)
    assert not {"warning", "mixed"} & set(kinds(world))
    world.patch(ctf={"voltage": 300.0})
    assert world.ask(wire.GetProcessing()).warnings == [dose]
    tell(world, "b.tif", wire.Acquisition("b.xml", 1, "epu", exposure_dose=40.0))
    assert world.ask(wire.GetProcessing()).warnings == []


def test_header_and_metadata_outlive_a_restart(tmp_path: Path) -> None:
    where = {"data_directory": "/data", "processing_directory": "/processing"}
    world = World()
    with closing(Store(tmp_path / "state.db", **where)) as store:
        world.store_into(store)
        tell(world, "a.tif", EPU, NO_PIXEL)
        store.commit()
        state = restore(store.load(), now=0.0, wall=0.0, **where)
    validate(state)
    movie = state.by_name["a"]
    assert (movie.header, movie.acquisition) == (NO_PIXEL, EPU)
    assert movie.waits_for
    (known,) = world.ask(wire.GetKnownFiles()).files
    assert known == wire.FoundFile("a.tif", 100, 5, acquisition=wire.Acquisition("a.xml", 1)), "all that is needed"


def test_results_of_an_earlier_version_stay_whatever_metadata_lie_beside_the_movie() -> None:
    world = World("a.tif", workers=("w",))  # registered without a word of its header
    world.finish("a")
    tell(world, "a.tif", wire.Acquisition("a.xml", 1, "epu", voltage_kv=200.0, pixel_size_angstrom=0.9, hole="7"))
    assert world.status("a") == "processed"
    movie = world.state.by_name["a"]
    assert movie.header is None
    assert movie.acquisition is not None
    assert movie.acquisition.hole == "7", "where it was recorded is known all the same"


@pytest.mark.parametrize(
    ("header", "acquisition"),
    [
        (HEADER, wire.Acquisition("a.xml", voltage_kv=float("inf"))),
        (HEADER, wire.Acquisition("a.xml", beam_shift_x=float("nan"))),
        (wire.Header(8, 512, 512, float("nan")), None),
    ],
)
def test_values_that_are_not_finite_are_refused(header: wire.Header, acquisition: wire.Acquisition | None) -> None:
    world = World()
    answer = tell(world, "a.tif", acquisition, header)
    assert answer.code == "invalid"
    assert "a.tif" in answer.detail
    assert not world.state.movies


def test_100_000_movies_with_metadata_are_fingerprinted_as_fast_as_without() -> None:
    """Few distinct values make few plans: 12 distinct ones here; 1.2 to 1.6 times the time of one plan was measured."""
    world = World()
    state = world.state
    tell(world, "a.tif", EPU)
    movie = state.by_name["a"]
    plan = FingerprintPlan(Settings())

    def seconds(work: Any) -> float:
        begun = time.thread_time()
        for _ in range(5000):
            work()
        return time.thread_time() - begun

    best_of_plan = min(seconds(lambda: plan.wanted(100, 5)) for _ in range(3))
    best = min(seconds(lambda: state.wanted(movie)) for _ in range(3))
    assert best < 3 * best_of_plan
