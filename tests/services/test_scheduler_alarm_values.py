"""Alarms of what was measured of the last movies, and of movies that fail."""

from __future__ import annotations

from tests.services.scheduler_alarms import MOVIES, alarms, end, kinds, told
from tests.services.scheduler_world import World
from warpcore.bus import messages as wire


def test_failures_are_told_where_half_of_the_last_movies_fail_and_until_few_do() -> None:
    world = World(*MOVIES, workers=("w",))
    end(world, range(4))
    assert "failures" not in kinds(world)
    end(world, [4])
    (alarm,) = [one for one in alarms(world) if one.id == "failures:movies"]
    assert "5 of the last 5 movies have failed; the last one: it went wrong" in alarm.text
    end(world, range(5, 20), ctf={})
    assert "failures" in kinds(world), "5 of 20 is a quarter"
    end(world, [20], ctf={})
    assert "failures" not in kinds(world)
    end(world, [21])
    assert "failures" not in kinds(world), "6 of 22 is fewer than half"
    assert [topic for topic, id in told(world) if id == "failures:movies"] == ["alarm.raised", "alarm.cleared"]


def test_a_value_beyond_its_limits_is_told_where_few_movies_are_within_and_until_half_are() -> None:
    world = World(*MOVIES, workers=("w",))
    end(world, range(11), ctf={"resolution_angstrom": 9.0})
    assert kinds(world) == [], "too few movies to say"
    end(world, [11], ctf={"resolution_angstrom": 9.0})
    (alarm,) = alarms(world)
    assert alarm.id == "limits:ctf.resolution_angstrom"
    assert alarm.text == "resolution: 0 of the last 12 movies are within limits (at most 5 Å; median 9 Å)"
    assert alarm.title == "resolution"
    end(world, range(12, 23), ctf={"resolution_angstrom": 4.0})
    assert [one.id for one in alarms(world)] == [alarm.id], "11 of 23 is fewer than half"
    end(world, [23], ctf={"resolution_angstrom": 4.0})
    assert alarms(world) == []
    end(world, range(24, 36), ctf={"resolution_angstrom": 9.0})
    assert alarms(world) == [], "between the two thresholds nothing changes"


def test_other_limits_can_end_an_alarm() -> None:
    world = World(*MOVIES, workers=("w",))
    end(world, range(12), ctf={"resolution_angstrom": 9.0})
    world.patch(filter={"resolution_max": 10.0})
    assert alarms(world) == []


def test_an_excluded_movie_counts_for_no_alarm() -> None:
    world = World(*MOVIES, workers=("w",))
    end(world, range(12), ctf={"resolution_angstrom": 9.0})
    world.ask(wire.SelectItem("m0", "exclude"))
    assert alarms(world) == []


def test_movies_that_fail_one_after_the_other_are_told_whatever_came_before() -> None:
    world = World(*MOVIES, workers=("w",))
    end(world, range(24), ctf={})
    end(world, range(24, 28))
    assert kinds(world) == []
    end(world, [28])
    (alarm,) = alarms(world)
    assert alarm.text == "the last 5 movies have failed; the last one: it went wrong"
    end(world, [29], ctf={})
    assert kinds(world) == []


def test_defocus_is_compared_with_its_target_where_one_is_set() -> None:
    world = World(*MOVIES, workers=("w",))
    end(world, range(14), ctf={"defocus_um": 2.6})
    assert kinds(world) == []
    world.patch(alarms={"defocus_target": 1.5, "defocus_tolerance": 0.5})
    (alarm,) = alarms(world)
    assert alarm.text == (
        "defocus: 0 of the last 14 movies are within limits (at least 1 and at most 2 µm; median 2.6 µm)"
    )
    world.patch(alarms={"defocus_target": 2.4})
    assert kinds(world) == []


def test_fits_that_failed_are_no_good_resolutions() -> None:
    world = World(*MOVIES, workers=("w",))
    end(world, range(20), ctf={"resolution_angstrom": None, "failure": "no rings"})
    (alarm,) = alarms(world)
    assert alarm.text == "resolution: 0 of the last 20 movies are within limits (at most 5 Å)"


def test_window_and_hysteresis_can_be_set() -> None:
    world = World(*MOVIES, workers=("w",))
    world.patch(alarms={"window": 12, "begin_below": 0.75, "end_from": 1.0})
    end(world, range(20), ctf={})
    end(world, range(20, 24), ctf={"resolution_angstrom": 9.0})
    (alarm,) = alarms(world)
    assert "8 of the last 12" in alarm.text
    end(world, range(24, 35), ctf={})
    assert kinds(world) == ["limits"], "one of the last 12 is still bad"
    end(world, [35], ctf={})
    assert kinds(world) == []


def test_a_gain_that_does_not_fit_is_told() -> None:
    world = World(*MOVIES, workers=("w",))
    end(world, range(12), input={"gain_residual": -0.95}, ctf={})
    assert [one.id for one in alarms(world)] == ["limits:input.gain_residual"]
    world.patch(alarms={"gain_residual_max": None})
    assert kinds(world) == []


def test_counts_that_change_are_told_once_and_end_when_they_are_back_or_usual() -> None:
    world = World(*(f"m{number}.tif" for number in range(100)), workers=("w",))
    end(world, range(30), input={"mean_counts": 10.0, "counted_dose_per_frame": 1.0}, ctf={})
    assert kinds(world) == []
    end(world, range(30, 50), input={"mean_counts": 7.0, "counted_dose_per_frame": 0.7}, ctf={})
    world.ask(wire.GetKnownFiles())
    (alarm,) = alarms(world)
    assert alarm.id == "counts:input.mean_counts"
    assert alarm.text == "mean counts changed: the median of the last movies is 7, before it was 10"
    world.patch(alarms={"counts_change": None})
    assert kinds(world) == []
    world.patch(alarms={"counts_change": 0.25})
    end(world, range(50, 90), input={"mean_counts": 7.0, "counted_dose_per_frame": 0.7}, ctf={})
    assert "counts" not in kinds(world), "most of those before are as low by now"


def test_limits_of_alarms_run_nothing() -> None:
    world = World("a.tif", workers=("w",))
    world.finish("a")
    reply = world.patch(alarms={"resolution_max": 3.0, "window": 50})
    assert reply.effect.changed == ["alarms.window", "alarms.resolution_max"]
    assert (reply.outdated, reply.effect.runs, world.status("a")) == (0, {}, "processed")


def test_odd_frames_are_told_where_a_quarter_of_the_last_movies_have_them_and_until_an_eighth_have() -> None:
    world = World(*MOVIES, workers=("w",))
    blank, copied = {"blank": [1]}, {"blank": [1], "repeated": [7, 8]}
    end(world, range(3), input={"odd_frame_numbers": blank}, ctf={})
    end(world, range(3, 12), input={"odd_frame_numbers": {}}, ctf={})
    assert kinds(world) == [], "3 of 12 is no more than a quarter"
    end(world, [12], input={"odd_frame_numbers": copied}, ctf={})
    (alarm,) = alarms(world)
    assert alarm.id == "frames:movies"
    assert "4 of the last 13 movies have frames that weigh nothing (blank in 4, repeated in 1)" in alarm.text
    end(world, range(13, 25), input={"odd_frame_numbers": {}}, ctf={})
    assert kinds(world) == ["frames"], "4 of the last 25 are more than an eighth"
    end(world, range(25, 28), input={"odd_frame_numbers": {}}, ctf={})
    assert kinds(world) == []
