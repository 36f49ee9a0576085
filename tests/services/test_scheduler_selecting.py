"""The user's choice for many movies, and what takes it back."""

from __future__ import annotations

from pathlib import Path

from tests.services.scheduler_world import World, finished
from warpcore.bus import messages as wire
from warpcore.bus.limits import MOST_AT_ONCE, MOST_CHOSEN, MOST_RETRIED
from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.scheduler.core import selecting
from warpcore.services.scheduler.core.invariants import validate
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore

WHERE = {"data_directory": "/data", "processing_directory": "/processing"}


def selections(world: World) -> dict[str, str]:
    return {movie.name: str(movie.selection) for movie in world.state.movies.values()}


def test_an_undo_gives_each_movie_its_former_choice() -> None:
    world = World("a.tif", "b.tif", "c.tif")
    world.ask(wire.SelectItem("a", "include"))
    done = world.ask(wire.SelectItems("exclude", ids=[2], names=["a", "b"]))
    assert (done.changed, selections(world)) == (2, {"a": "exclude", "b": "exclude", "c": "auto"})
    undone = world.ask(wire.UndoSelection(done.undo))
    assert (undone.changed, undone.kept, undone.left) == (2, 0, 0)
    assert selections(world) == {"a": "include", "b": "auto", "c": "auto"}
    assert world.ask(wire.UndoSelection(done.undo)).code == "not_found"


def test_a_movie_chosen_anew_since_keeps_its_newer_choice() -> None:
    world = World("a.tif", "b.tif")
    first = world.ask(wire.SelectItems("exclude", names=["a", "b"]))
    world.ask(wire.SelectItem("b", "auto"))
    world.ask(wire.SelectItem("b", "exclude"))
    undone = world.ask(wire.UndoSelection(first.undo))
    assert (undone.changed, undone.kept) == (1, 1)
    assert selections(world) == {"a": "auto", "b": "exclude"}


def test_changes_are_taken_back_one_after_another() -> None:
    world = World("a.tif")
    undos = [world.ask(wire.SelectItems(word, names=["a"])).undo for word in ("exclude", "include", "exclude")]
    back = []
    for undo in reversed(undos):
        world.ask(wire.UndoSelection(undo))
        back.append(selections(world)["a"])
    assert back == ["include", "exclude", "auto"]


def test_what_is_done_is_judged_again() -> None:
    world = finished("a.tif", "b.tif")
    world.patch(filter={"resolution_max": 3.0})
    done = world.ask(wire.SelectItems("include", names=["a", "b"]))
    assert world.status("a") == "processed"
    world.ask(wire.UndoSelection(done.undo))
    assert world.status("a") == "filtered_out"


def test_several_messages_are_one_change() -> None:
    world = World(*(f"m{number}.tif" for number in range(MOST_CHOSEN + 2)))
    assert world.ask(wire.SelectItems("exclude", ids=list(range(1, MOST_CHOSEN + 2)))).code == "invalid"
    undo = ""
    for ids in (list(range(1, MOST_CHOSEN + 1)), [MOST_CHOSEN + 1]):
        undo = world.ask(wire.SelectItems("exclude", ids=ids, undo=undo, by="ada")).undo
    (change,) = world.ask(wire.GetSelections()).changes
    assert (change.undo, change.movies, change.by) == (undo, MOST_CHOSEN + 1, "ada")
    assert world.ask(wire.UndoSelection(undo)).left == MOST_CHOSEN
    assert world.ask(wire.UndoSelection(undo)).left == 0
    assert set(selections(world).values()) == {"auto"}
    assert world.ask(wire.GetSelections()).changes == []


def test_an_unknown_movie_refuses_all() -> None:
    world = World("a.tif")
    for message in (
        wire.SelectItems("exclude", names=["a", "b"]),
        wire.SelectItems("exclude", ids=[1, 2]),
        wire.SelectItems("exclude", names=["a"], undo="7"),
    ):
        assert world.ask(message).code == "not_found"
    assert selections(world) == {"a": "auto"}


def test_what_changes_nothing_needs_no_undo() -> None:
    world = World("a.tif")
    assert world.ask(wire.SelectItems("auto", names=["a"])) == wire.SelectionChanged(0, "")
    assert world.ask(wire.GetSelections()).changes == []


def test_an_undo_outlives_a_restart(tmp_path: Path) -> None:
    world = World()
    store = Store(tmp_path / "state.db", **WHERE)
    world.store_into(store)
    world.files("a.tif", "b.tif")
    done = world.ask(wire.SelectItems("exclude", names=["a", "b"]))
    world.ask(wire.SelectItem("b", "include"))
    store.commit()
    store.close()
    store = Store(tmp_path / "state.db", **WHERE)
    world.state = restore(store.load(), now=world.now, wall=world.now, **WHERE)
    validate(world.state)
    assert world.ask(wire.UndoSelection(done.undo)) == wire.SelectionUndone(changed=1, kept=1, left=0)
    assert selections(world) == {"a": "auto", "b": "include"}
    store.close()


def test_the_journal_forgets_the_oldest_change() -> None:
    world = World("a.tif")
    undos = []
    for number in range(selecting.MOST_RECORDS + 1):
        undos.append(world.ask(wire.SelectItems("exclude" if number % 2 == 0 else "auto", names=["a"])).undo)
    assert world.ask(wire.UndoSelection(undos[0])).code == "not_found"
    assert world.ask(wire.UndoSelection(undos[-1])).changed == 1


def test_failed_movies_are_retried_by_their_kind() -> None:
    world = World("a.tif", "b.tif", "c.tif", workers=("w",))
    world.fail("a", "input")
    world.fail("b", "input")
    world.finish("c")
    assert world.ask(wire.RetryItems("internal")).retried == 0
    world.ask(wire.PauseProcessing())
    assert world.ask(wire.RetryItems("input")) == wire.ItemsRetried(2)
    assert [world.status(name) for name in "abc"] == ["unprocessed", "unprocessed", "processed"]


def test_named_movies_are_retried_and_those_that_cannot_be_are_told() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    world.fail("a", "input")
    world.finish("b")
    world.ask(wire.PauseProcessing())
    answer = world.ask(wire.RetryItems(names=["a", "b"]))
    assert answer.retried == 1
    assert [one["name"] for one in answer.refused] == ["b"]
    assert "use force" in answer.refused[0]["problem"]
    assert world.ask(wire.RetryItems(names=["b"], force=True)).retried == 1
    assert world.status("b") == "outdated"


def test_a_retry_of_all_goes_on_after_a_portion() -> None:
    count = MOST_RETRIED + 3
    paths = [*(f"m{number}.tif" for number in range(count)), "m0.mrc"]
    world = World(*paths[:MOST_AT_ONCE])
    world.files(*paths[MOST_AT_ONCE:])
    for movie in list(world.state.movies.values())[:count]:
        world.state.move(movie, MovieStatus.QUEUED, "test")
        movie.failure = wire.Failure("input", "load", "truncated", "host")
        world.state.move(movie, MovieStatus.FAILED, "test")
    first = world.ask(wire.RetryItems())
    assert (first.retried, first.next_after) == (MOST_RETRIED, MOST_RETRIED)
    rest = world.ask(wire.RetryItems(after=first.next_after))
    assert (rest.retried, rest.next_after) == (3, None)
    assert [one["name"] for one in rest.refused] == ["m0.mrc"], "its name is taken"
