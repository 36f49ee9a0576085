"""Files become movies, and movies stand in an order."""

from __future__ import annotations

from tests.services.scheduler_world import CHAIN, RESULTS, World, finished
from warpcore.bus import messages as wire


def test_a_file_is_registered_once_and_found_again_when_replaced() -> None:
    world = World()
    assert world.files("a.tif", "b.tif") == wire.FilesRegistered(2, 0, 0)
    assert world.files("a.tif", "c.tif") == wire.FilesRegistered(1, 1, 0)
    assert world.files("a.tif", size=7) == wire.FilesRegistered(0, 0, 1)
    known = world.ask(wire.GetKnownFiles(after=1))
    assert [(file.path, file.size) for file in known.files] == [("b.tif", 100), ("c.tif", 100)]
    assert known.next_after is None


def test_paths_that_leave_the_data_directory_are_refused_as_a_whole() -> None:
    world = World()
    for path in ("../a.tif", "/a.tif", "a\0.tif", "", "./a.tif", "a//b.tif"):
        assert world.files("good.tif", path).code == "invalid"
    assert world.ask(wire.RegisterFiles([wire.FoundFile("a.tif", -1, 0)])).code == "invalid"
    assert world.ask(wire.RegisterFiles([wire.FoundFile("a.tif", 1, 2**63)])).code == "invalid"
    assert not world.state.movies


def test_of_two_movies_with_equal_roots_the_second_fails_and_names_the_first() -> None:
    world = World("a.tif", "a.eer", "grid/a.tif")
    assert world.status("grid/a") == "unprocessed"
    second = world.movie("a.eer")
    assert second.failure is not None
    assert (second.status, second.failure.kind) == ("failed", "conflict")
    assert "a.tif" in second.failure.message
    assert world.ask(wire.RetryItem("a.eer")).code == "conflict"
    assert world.files("a.eer", size=9).replaced == 1
    assert world.status("a.eer") == "failed"


def test_a_replaced_file_takes_the_lease_back_and_runs_again() -> None:
    world = World("a.tif", workers=("w",))
    old = world.tasks["a"]
    world.files("a.tif", size=7)
    assert world.cancelled == [old.lease]
    assert world.tasks["a"].size == 7
    assert world.tasks["a"].lease > old.lease
    world.say("w", wire.TaskFinished("w", old.lease, old.run, RESULTS, {}))
    assert world.status("a") == "queued"


def test_a_replaced_file_of_a_failed_movie_is_a_new_chance() -> None:
    world = World("a.tif", workers=("w",))
    world.fail("a", "input")
    assert world.status("a") == "failed"
    world.files("a.tif", size=7)
    assert world.status("a") == "queued"


def test_a_replaced_file_of_a_processed_movie_is_outdated_and_back_again_is_not() -> None:
    world = finished("a.tif")
    world.ask(wire.PauseProcessing())
    world.files("a.tif", size=7)
    assert world.movie("a").outdated_steps == CHAIN
    world.files("a.tif", size=100)
    assert world.status("a") == "processed"


def test_order_is_priority_then_outdated_then_discovery() -> None:
    world = finished("a.tif", "b.tif")
    world.ask(wire.PauseProcessing())
    world.files("c.tif", "d.tif", "e.tif")
    world.patch(ctf={"range_max": 5.0})
    world.ask(wire.PrioritiseItem("e", 5))
    world.ask(wire.PrioritiseItem("c", -1))
    world.ask(wire.SelectItem("d", "exclude"))
    world.ask(wire.StartProcessing())
    order = []
    for _ in range(4):
        (name,) = world.state.workers["w"].leases and [
            world.state.movies[t.movie].name for t in world.state.tasks.values()
        ]
        order.append(name)
        world.finish(name)
    assert order == ["e", "a", "b", "c"]
    assert world.status("d") == "unprocessed"


def test_each_worker_gets_one_movie_before_any_gets_two() -> None:
    world = World(workers=("w1", "w2"))
    world.files("a.tif", "b.tif", "c.tif")
    assert (world.owner("a"), world.owner("b"), world.owner("c")) == ("w1", "w2", "w1")


def test_credit_is_at_most_nine_and_counts_what_is_held() -> None:
    world = World(*(f"{name}.tif" for name in "abcdefghij"))
    world.worker("w", credit=11)
    assert sorted(world.tasks) == list("abcdefghi")
    world.finish("a")
    assert sorted(world.tasks) == list("abcdefghij")


def test_paused_nothing_is_assigned_and_what_runs_ends() -> None:
    world = World("a.tif", "b.tif")
    world.worker("w", credit=1)
    assert not world.ask(wire.PauseProcessing()).is_processing
    world.finish("a")
    assert world.status("a") == "processed"
    assert "b" not in world.tasks
    assert world.ask(wire.StartProcessing()).is_processing
    assert "b" in world.tasks
