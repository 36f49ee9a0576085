"""An unlikely dose is told once, in status and alarms; usual ones are not."""

from __future__ import annotations

import pytest

from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.services.scheduler.core.notices import notices
from warpcore.services.scheduler.core.stimuli import Tick
from warpcore.services.steps.source import InputResult


def done(dose: float, counted: float | None, frames: int = 40, movies: int = 4) -> World:
    """A world with movies of this dose in e⁻/Å² a frame, by setting and by counts."""
    world = World(*(f"{number}.tif" for number in range(movies)))
    world.worker("w", credit=1)
    for number in range(movies):
        size = {"height": 512, "width": 512, "raw_height": 512, "raw_width": 512}
        pixel = {"pixel_size_angstrom": 1.1, "raw_pixel_size_angstrom": 1.1}
        jitter = None if counted is None else counted * (1 + 0.01 * number)
        measured = InputResult(frames=frames, **size, **pixel, dose_per_frame=dose, counted_dose_per_frame=jitter)
        world.finish(str(number), input=measured.to_dict())
    return world


@pytest.mark.parametrize(
    ("dose", "counted", "frames", "told"),
    [
        (60.0, 1.4, 8, "over 300 e⁻/Å² in all"),
        (60.0, 1.4, 4, "over 5 times what the movies' counts say"),
        (0.0, 1.4, 40, "the dose is 0"),
        (60.0, None, 40, "over 300 e⁻/Å² in all"),
        (1.5, 1.4, 40, ""),
        (1.5, 0.5, 40, ""),  # K2 at a high rate, a filter, thick ice
        (1.5, 400.0, 40, ""),  # a camera that integrates, or counts that were scaled
        (0.03, 0.02, 1000, ""),
        (4.0, None, 40, ""),  # a tilt series
    ],
)
def test_a_dose_that_counts_and_exposure_speak_against_is_told(
    dose: float, counted: float | None, frames: int, told: str
) -> None:
    world = done(dose, counted, frames)
    found = notices(world.state)
    assert len(found) == (1 if told else 0)
    status = world.ask(wire.GetProcessing())
    assert status.warnings == found
    world.do(Tick())
    alarms = [alarm.text for alarm in world.ask(wire.GetAlarms()).alarms if alarm.id.startswith("warning:")]
    assert alarms == found
    assert all(told in text and "import.dose_per_frame" in text for text in found)


def test_what_is_usual_in_a_folder_is_shown_and_is_no_alarm() -> None:
    world = World()
    world.ask(wire.RegisterFiles([], ["a gain"], notes=["averages are not taken"]))
    status = world.ask(wire.GetProcessing())
    assert status.warnings == ["a gain", "averages are not taken"]
    assert status.notes == ["averages are not taken"]
    world.do(Tick())
    assert [alarm.text for alarm in world.ask(wire.GetAlarms()).alarms] == ["a gain"]


def test_it_is_told_of_several_movies_once_and_goes_with_them() -> None:
    world = done(60.0, 1.4, movies=2)
    assert notices(world.state) == []
    texts = {tuple(notices(done(60.0, 1.4, 4, movies=count).state)) for count in range(3, 7)}
    assert len(texts) == 1


def test_a_dose_of_0_is_a_choice_where_frames_are_not_weighted() -> None:
    world = done(0.0, 1.4)
    assert len(notices(world.state)) == 1
    world.patch(export={"dose_weighting": False})
    for number in range(4):
        world.finish(str(number))
    assert notices(world.state) == []
