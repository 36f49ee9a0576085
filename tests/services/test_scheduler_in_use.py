"""Which values movies are processed with where a setting is null, where they come from, and of how many movies."""

from __future__ import annotations

from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.limits import MOST_VALUES_IN_USE

HEADER = wire.Header(40, 512, 512, 1.1)
NOBODY = wire.Header(40, 512, 512)

Values = list[tuple[float | None, str, int]]


def tell(world: World, name: str, header: wire.Header = HEADER, **told: float) -> None:
    """A movie of this header, and of metadata where any are told."""
    metadata = wire.Acquisition(f"{name}.xml", 1, "epu", **told) if told else None  # type: ignore[arg-type]
    world.ask(wire.RegisterFiles([wire.FoundFile(f"{name}.tif", 100, 5, header, metadata)]))


def in_use(world: World) -> dict[str, tuple[Values, int]]:
    """Of each setting the values, sources and numbers of movies, and the number of movies with others."""
    reply = world.ask(wire.GetSettingsInUse())
    return {
        one.name: ([(value.value, value.source, value.movies) for value in one.values], one.others)
        for one in reply.settings
    }


def test_values_are_told_with_their_source_and_number_of_movies_most_first() -> None:
    world = World()
    tell(world, "a", voltage_kv=200.0, exposure_dose=50.0)
    for name in "bc":
        tell(world, name, voltage_kv=300.0, exposure_dose=50.0)
    tell(world, "d", NOBODY)
    assert in_use(world) == {
        "import.pixel_size": ([(1.1, "header", 3), (None, "", 1)], 0),
        "import.dose_per_frame": ([(1.25, "metadata", 3), (1.0, "assumed", 1)], 0),
        "ctf.voltage": ([(300.0, "metadata", 2), (200.0, "metadata", 1), (300.0, "assumed", 1)], 0),
        "ctf.cs": ([(2.7, "assumed", 4)], 0),
    }


def test_a_movie_of_which_something_else_is_told_later_counts_there_alone() -> None:
    world = World()
    tell(world, "a")
    tell(world, "a", voltage_kv=200.0)
    assert in_use(world)["ctf.voltage"] == ([(200.0, "metadata", 1)], 0)


def test_a_setting_stands_for_all_movies_and_before_there_is_one() -> None:
    world = World()
    world.patch(ctf={"voltage": 120.0})
    assert in_use(world)["ctf.voltage"] == ([(120.0, "setting", 0)], 0)
    assert in_use(world)["ctf.cs"] == ([], 0), "nothing is assumed of no movie"
    tell(world, "a", voltage_kv=200.0)
    assert in_use(world)["ctf.voltage"] == ([(120.0, "setting", 1)], 0)


def test_roundings_of_one_pixel_size_are_one_value() -> None:
    world = World()
    for name, angstrom in {"a": 0.832, "b": 0.8320000171661377, "c": 0.83199997}.items():
        tell(world, name, wire.Header(40, 512, 512, angstrom))
    assert in_use(world)["import.pixel_size"] == ([(0.832, "header", 3)], 0)


def test_of_many_values_the_first_ones_are_told_and_the_rest_counted() -> None:
    world = World()
    for number in range(MOST_VALUES_IN_USE + 3):
        tell(world, f"m{number:02}", exposure_dose=40.0 + number)
    tell(world, "last", exposure_dose=40.0 + MOST_VALUES_IN_USE + 2)
    values, others = in_use(world)["import.dose_per_frame"]
    assert values[:2] == [((42.0 + MOST_VALUES_IN_USE) / 40, "metadata", 2), (1.0, "metadata", 1)]
    assert (len(values), others) == (MOST_VALUES_IN_USE, 3)
