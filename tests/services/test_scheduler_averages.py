"""An average that was registered before its movie makes way for it, whatever has become of it."""

from __future__ import annotations

import pytest

from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.services.scheduler.core.effects import DropMovie
from warpcore.services.scheduler.core.stimuli import FromControl, OutputsPlaced

IMAGE, FRAMES = wire.Header(1, 64, 64, 1.1), wire.Header(8, 64, 64, 1.1)


def found(world: World, path: str, header: wire.Header | None) -> wire.Message:
    return world.ask(wire.RegisterFiles([wire.FoundFile(path, 100, 1, header)]))


def world_with(average: str, workers: tuple[str, ...] = ()) -> World:
    world = World(workers=workers)
    found(world, average, IMAGE)
    return world


@pytest.mark.parametrize(
    ("average", "movie", "name"),
    [
        ("a.mrc", "a.tif", "a"),
        ("a_sum.mrc", "a.tif", "a"),
        ("g/FoilHole_1.mrc", "g/FoilHole_1_Fractions.tiff", "g/FoilHole_1_Fractions"),
        ("a.mrc", "a_EER.eer", "a_EER"),
    ],
)
def test_the_movie_wins_and_its_average_is_no_movie_any_more(average: str, movie: str, name: str) -> None:
    world = world_with(average)
    assert found(world, movie, FRAMES) == wire.FilesRegistered(1, 0, 0)
    assert [(one.name, one.path, one.status) for one in world.state.movies.values()] == [(name, movie, "unprocessed")]
    known = world.ask(wire.GetKnownFiles())
    assert (known.forgotten, [file.path for file in known.files]) == (1, [movie])


def test_one_that_a_worker_has_is_taken_back() -> None:
    world = world_with("a.mrc", ("w",))
    old = world.tasks["a"].lease
    found(world, "a.tif", FRAMES)
    assert world.cancelled == [old]
    assert world.tasks["a"].lease > old
    assert world.tasks["a"].path == "a.tif"


@pytest.mark.parametrize("movie", ["a.tif", "a_Fractions.tif"])
def test_the_results_of_one_that_was_done_go_unless_the_movie_makes_its_own_of_the_same_names(movie: str) -> None:
    world = world_with("a.mrc", ("w",))
    world.finish("a")
    (average,) = world.state.movies.values()
    outputs = tuple(path for paths in average.outputs.values() for path in paths)
    assert outputs
    effects = world.do(FromControl(wire.RegisterFiles([wire.FoundFile(movie, 100, 1, FRAMES)])))
    (dropped,) = [effect for effect in effects if isinstance(effect, DropMovie)]
    assert (dropped.path, dropped.outputs) == ("a.mrc", () if movie == "a.tif" else outputs)
    assert [one.path for one in world.state.movies.values()] == [movie]


def test_images_alone_movies_of_unknown_frames_and_what_a_pattern_asks_for_stay() -> None:
    for path, header in (("a.tif", IMAGE), ("a.tif", None), ("b.tif", FRAMES), ("sub/a.tif", FRAMES)):
        world = world_with("a.mrc")
        found(world, path, header)
        assert {one.path for one in world.state.movies.values()} == {"a.mrc", path}
    world = world_with("a_sum.mrc")
    world.patch(**{"import": {"patterns": ["*.tif", "*_sum.mrc"]}})
    found(world, "a.tif", FRAMES)
    assert {one.path for one in world.state.movies.values()} == {"a_sum.mrc", "a.tif"}


def test_one_whose_outputs_are_being_put_in_place_ends_first() -> None:
    world = world_with("a.mrc", ("w",))
    world.stands = True
    world.finish("a")
    refused = found(world, "a.tif", FRAMES)
    assert isinstance(refused, wire.Error)
    assert "outputs of a, an average of a movie, are being put in place" in refused.detail
    world.do(OutputsPlaced(world.tasks["a"].lease, []))
    assert found(world, "a.tif", FRAMES) == wire.FilesRegistered(1, 0, 0)
    assert [one.path for one in world.state.movies.values()] == ["a.tif"]
