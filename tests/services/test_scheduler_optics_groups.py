"""The scheduler gives each movie its optics group, and keeps the numbers; no step runs for it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.services.scheduler.core.stimuli import ChangeSettings
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.settings import Settings, patch_settings

HEADER = wire.Header(8, 512, 512, 1.1)
PLACES = ((0.0, 0.0), (0.2, 0.0), (0.0, 0.2))


def told(number: int, place: int | None, *, kind: str = "epu", **values: object) -> wire.FoundFile:
    """Movie `m<number>` at one of the places; None: without metadata."""
    path = f"grid/m{number}.tif"
    if place is None:
        return wire.FoundFile(path, 100, 5, HEADER)
    x, y = PLACES[place]
    jitter = 0.002 * (number % 3)
    shift = {"beam_shift_x": x + jitter, "beam_shift_y": y - jitter}
    said = wire.Acquisition.from_body(
        {"source": f"m{number}.xml", "kind": kind, "voltage_kv": 300.0, **shift, **values}
    )
    return wire.FoundFile(path, 100, 5, HEADER, said)


def groups(world: World) -> list[int]:
    """The optics group of each movie, as everybody sees it."""
    return [world.state.movie_view(movie).optics_group for movie in world.state.movies.values()]


def world_at_three_places(movies: int = 15, **options: object) -> World:
    world = World(**options)  # type: ignore[arg-type]
    world.ask(wire.RegisterFiles([told(number, number % 3) for number in range(movies)]))
    return world


def change(world: World, **importing: object) -> None:
    settings = patch_settings(world.state.settings, {"import": importing})
    world.do(ChangeSettings(settings, world.state.references))


def test_movies_have_groups_by_beam_shift_and_all_who_follow_are_told() -> None:
    world = world_at_three_places()
    assert groups(world) == [1, 2, 3] * 5
    seen = {body["movie"]["name"]: body["movie"]["optics_group"] for _, body in world.events if "movie" in body}
    assert list(seen.values()) == [1, 2, 3] * 5
    assert world.ask(wire.GetItem(name="grid/m1")).movie.optics_group == 2


def test_late_metadata_move_a_movie_and_no_step_runs() -> None:
    world = world_at_three_places(workers=("w",))
    world.ask(wire.RegisterFiles([told(15, None)]))
    world.say("w", wire.PullTasks("w", 20))
    for number in range(16):
        world.finish(f"grid/m{number}")
    assert groups(world)[-1] == 4
    voltage = {"voltage_kv": None}
    late = wire.RegisterFiles([told(15, 1, **voltage)])
    assert world.ask(late) == wire.FilesRegistered(0, 1, 0)
    movie = world.state.by_name["grid/m15"]
    assert (movie.status, movie.outdated_steps) == ("processed", [])
    assert groups(world)[-1] == 2
    assert [body["movie"]["optics_group"] for topic, body in world.events if topic == "movie.status"][-1] == 2


def test_the_task_has_the_group() -> None:
    world = world_at_three_places(6)
    world.ask(wire.RegisterFiles([told(number, number % 3) for number in range(6, 15)]))
    world.worker("w", credit=3)
    assert {name: task.optics_group for name, task in world.tasks.items()} == {
        "grid/m0": 1,
        "grid/m1": 2,
        "grid/m2": 3,
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"optics_groups": "none"}, [1] * 6),
        ({"optics_groups": "folder"}, [1, 2, 1, 2, 1, 2]),
        ({"optics_groups": "name"}, [1, 1, 1, 2, 2, 2]),
        ({"optics_groups": "name", "optics_group_pattern": "*_s{group}"}, [1, 2, 3, 1, 2, 3]),
        ({"optics_groups": "beam_shift"}, [1] * 6),
        ({"optics_groups": "auto"}, [1, 1, 1, 2, 2, 2]),
    ],
)
def test_groups_by_choice(settings: dict[str, object], expected: list[int]) -> None:
    world = World(settings=patch_settings(Settings(), {"import": settings}))
    names = [f"g{number % 2}/x_s{number % 3}.tif" for number in range(6)]
    names = [name.replace("x", f"x{number}") for number, name in enumerate(names)]
    areas = ["1"] * 3 + ["2"] * 3
    found = [
        wire.FoundFile(name, 100, 5, HEADER, wire.Acquisition(area=area))
        for name, area in zip(names, areas, strict=True)
    ]
    world.ask(wire.RegisterFiles(found))
    assert groups(world) == expected


def test_scripts_that_leave_no_shift_in_the_mdoc_are_grouped_by_position() -> None:
    world = World()
    files = [
        wire.FoundFile(
            f"h{hole}_s{shot}.tif", 100, 5, HEADER,
            wire.Acquisition(kind="serialem", beam_shift_x=0.0, beam_shift_y=0.0, area=f"{hole}-{shot}"),
        )
        for hole in (1, 2)
        for shot in (1, 2)
    ]  # fmt: skip
    world.ask(wire.RegisterFiles(files))
    assert groups(world) == [1, 2, 3, 4]


def test_movies_of_other_optics_are_always_apart() -> None:
    world = World(settings=patch_settings(Settings(), {"import": {"optics_groups": "none"}}))
    world.ask(wire.RegisterFiles([told(0, 0), told(1, 0, voltage_kv=200.0), told(2, 0, cs_mm=0.001), told(3, 0)]))
    assert groups(world) == [1, 2, 3, 1]


def test_a_setting_parts_and_joins_them_under_the_same_numbers() -> None:
    world = world_at_three_places()
    change(world, optics_groups="none")
    assert groups(world) == [1] * 15
    change(world, optics_groups="beam_shift")
    assert groups(world) == [1, 2, 3] * 5
    change(world, pixel_size=1.2)
    assert groups(world) == [1, 2, 3] * 5
    assert world.state.last_optics_group == 3


def test_numbers_stay_over_a_restart(tmp_path: Path) -> None:
    where = {"data_directory": "/data", "processing_directory": str(tmp_path)}
    with closing(Store(tmp_path / "state.db", **where)) as store:
        world = World()
        world.store_into(store)
        world.ask(wire.RegisterFiles([told(number, number % 3) for number in range(15)]))
        change(world, optics_groups="folder")
        change(world, optics_groups="auto")
        before = groups(world)
        store.commit()
        world.state = restore(store.load(), now=0.0, wall=0.0, **where)
    assert groups(world) == before == [1, 2, 3] * 5
    assert world.state.last_optics_group == 3
    world.events.clear()
    world.files("grid/new.tif")
    assert groups(world) == [*before, 4]
    told_of = {body["movie"]["name"] for topic, body in world.events if topic.startswith("movie.")}
    assert told_of == {"grid/new"}, "movies whose group stays are told to nobody"


def test_very_many_changes_are_told_by_a_snapshot() -> None:
    world = world_at_three_places()
    world.state.bulk_changes = 5
    world.events.clear()
    change(world, optics_groups="none")
    assert groups(world) == [1] * 15
    assert not [topic for topic, _ in world.events if topic.startswith("movie.")]


@pytest.mark.parametrize("shift", [1e308, -1.7e308, 5e-324, 999.0])
def test_impossible_beam_shifts_of_a_damaged_file_stop_nothing(shift: float) -> None:
    world = world_at_three_places()
    odd = {"beam_shift_x": shift, "beam_shift_y": -shift}
    world.ask(wire.RegisterFiles([told(15, 0, **odd), told(16, 0, **odd), told(17, 1)]))
    assert groups(world)[:15] == [1, 2, 3] * 5
    assert groups(world)[17] == 2
