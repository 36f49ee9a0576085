"""Workers prove that they see the session's folders before they get a movie, and while they run."""

from __future__ import annotations

from dataclasses import replace

import msgpack
import pytest

from tests.services.scheduler_storage import AWAY, WELL, StorageWorld, questions
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import StoragePlace
from warpcore.services.scheduler.core.alarms import current
from warpcore.services.scheduler.core.plain import stimulus_from_plain, stimulus_to_plain
from warpcore.services.scheduler.core.retries import STORAGE_PAUSE_S
from warpcore.services.scheduler.core.seeing import ANSWER_S, LOOK_EVERY_S
from warpcore.services.scheduler.core.stimuli import ChangeSettings, ReferencesLooked
from warpcore.services.session.settings import patch_settings
from warpcore.services.storage.looking import KnownFile


@pytest.fixture
def world() -> StorageWorld:
    """Two movies, one worker that has registered, and looks that found all well."""
    world = StorageWorld("a.tif", "b.tif")
    world.look_at_all()
    world.worker("w")
    return world


def why(world: StorageWorld) -> str:
    (worker,) = world.ask(wire.GetWorkers()).workers
    return str(worker.reason)


def test_a_worker_is_given_movies_once_it_has_shown_that_it_sees_both_folders(world: StorageWorld) -> None:
    assert world.status("a") == "unprocessed"
    assert "has not shown yet" in why(world)
    world.sees("w")
    assert world.status("a") == "queued"
    assert why(world) == ""


def test_a_token_counts_before_the_scheduler_knows_that_it_is_written(world: StorageWorld) -> None:
    world.sees("w", token=f"token {world.token + 1}")
    assert world.status("a") == "queued"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"token": ""}, "does not see the processing directory: /processing/.warpcore/token is not there; mount"),
        ({"token": "of another session"}, "sees another folder at /processing, not this session's; mount"),
        ({"data": False}, "does not see the data directory: /data/a.tif is not there; mount /data on host"),
        ({"problem": "/processing: Read-only file system"}, "/processing: Read-only file system"),
        (
            {"data": False, "looked_in": {"/data": "/mnt/krios"}},
            "/data/a.tif is not there; the --path-map on host has it at /mnt/krios: correct that, or mount it there",
        ),
        (
            {"token": "", "looked_in": {"/processing": "/mnt/results"}},
            "/processing/.warpcore/token is not there; the --path-map on host has it at /mnt/results: correct that",
        ),
        (
            {"token": "of another session", "looked_in": {"/processing": "/mnt/results"}},
            "it sees another folder at /mnt/results than this session's /processing; the --path-map on host has it at",
        ),
        (
            {"data": False, "looked_in": {"/data": "/data"}},
            "/data/a.tif is not there; mount /data on host, or name it in the --path-map there, which does not",
        ),
    ],
)
def test_a_worker_that_does_not_see_a_folder_gets_nothing_and_is_told_where(
    world: StorageWorld, answer: dict[str, object], text: str
) -> None:
    world.sees("w", **answer)  # type: ignore[arg-type]
    assert text in why(world)
    assert world.status("a") == "unprocessed"
    world.tick()
    world.wait(6, "w")
    (alarm,) = current(world.state)
    assert alarm.text.startswith("worker w is given no movies: ")
    assert "2 movies left, no worker sees the folders" in world.ask(wire.GetProcessing()).summary
    assert text in alarm.text
    world.sees("w")
    assert world.status("a") == "queued"
    assert current(world.state) == []


def test_a_worker_that_sees_only_part_of_the_movie_sees_another_data_directory(world: StorageWorld) -> None:
    world.say("w", wire.WorkerSees("w", f"token {world.token}", "a.tif", 99, 5))
    assert "/data/a.tif is another file" in why(world)


def test_a_blind_worker_is_asked_again_soon_and_a_seeing_one_now_and_then(world: StorageWorld) -> None:
    world.sees("w", data=False)
    assert len(questions(world.tick(2.5))) == 1
    world.sees("w")
    assert questions(world.tick(LOOK_EVERY_S - 1)) == []
    assert len(questions(world.tick(2))) == 1


def test_a_worker_that_gives_no_answer_gets_nothing_and_is_asked_again(world: StorageWorld) -> None:
    world.sees("w")
    world.finish("a")
    world.tick(LOOK_EVERY_S + 1)
    assert len(questions(world.tick(ANSWER_S + 1))) == 1
    assert "does not say whether it sees" in why(world)
    world.files("c.tif")
    assert world.status("c") == "unprocessed"
    world.sees("w")
    assert world.status("c") == "queued"


def test_the_movies_of_a_worker_that_writes_elsewhere_are_taken_back_and_count_nothing(world: StorageWorld) -> None:
    world.sees("w")
    world.progress("a")
    world.tick(LOOK_EVERY_S + 1)
    world.sees("w", token="")
    assert world.cancelled == [world.tasks["a"].lease, world.tasks["b"].lease]
    assert [world.status(name) for name in "ab"] == ["unprocessed"] * 2
    assert world.state.movies[1].lost == 0


def test_the_movies_of_a_worker_whose_storage_hangs_go_to_others_after_a_while(world: StorageWorld) -> None:
    world.sees("w")
    world.progress("a")
    world.worker("v")
    world.sees("v")
    world.tick(LOOK_EVERY_S + 1)
    for _ in range(40):
        world.sees("w", problem="/processing gives no answer for 12 s on its host")
        world.tick(3)
        world.sees("v")
        if world.owner("a") == "v":
            break
        assert world.status("a") == "processing"
    assert 60 < world.now - 1000 - LOOK_EVERY_S < 90
    assert world.owner("a") == "v"
    assert (world.state.movies[1].lost, world.state.movies[1].avoid) == (0, [])


def test_a_worker_that_meets_storage_that_is_away_is_left_alone_longer_each_time(world: StorageWorld) -> None:
    world.sees("w")
    pauses = []
    for _ in range(6):
        world.fail("a", "storage_away")
        failed_at = world.now
        assert world.status("a") == "unprocessed"
        while not questions(world.tick(1)):
            world.sees("w")
            assert world.status("a") == "unprocessed"
        pauses.append(world.now - failed_at)
        world.sees("w")
        world.tick(STORAGE_PAUSE_S)
        assert world.status("a") == "queued"
    assert pauses == [3, 6, 12, 24, 48, 60]


def test_when_the_data_directory_is_back_workers_show_first_that_they_see_it(world: StorageWorld) -> None:
    world.sees("w")
    world.finish("a")
    world.look(AWAY, StoragePlace.DATA)
    world.fail("b", "storage_away")
    world.files("c.tif")
    world.look(WELL, StoragePlace.DATA)
    assert world.status("c") == "unprocessed"
    world.tick(STORAGE_PAUSE_S)
    world.sees("w")
    assert [world.status(name) for name in "bc"] == ["queued"] * 2


def test_the_first_movies_wait_until_one_was_seen_that_workers_can_be_asked_about() -> None:
    world = StorageWorld()
    world.look_at_all()
    world.worker("w")
    world.sees("w")
    assert why(world) == ""
    world.files("a.tif")
    assert world.status("a") == "unprocessed"
    world.look(WELL, StoragePlace.DATA)
    assert world.status("a") == "unprocessed"
    world.sees("w")
    assert world.status("a") == "queued"


def test_where_no_known_movie_is_left_in_the_data_directory_none_is_asked_for(world: StorageWorld) -> None:
    world.sees("w", data=False)
    world.look(WELL, StoragePlace.DATA, anchor="")
    world.tick(3)
    world.sees("w", data=False)
    assert world.status("a") == "queued"


GAIN = KnownFile("/references/gain.mrc", 4096, 7)
SEEN_GAIN = wire.SeenFile(GAIN.path, GAIN.size, GAIN.mtime_ns)


def named(world: StorageWorld) -> None:
    """A person names a gain."""
    values = patch_settings(world.state.settings, {"import": {"gain_path": GAIN.path}})
    world.do(ChangeSettings(values, "gain_path:4096:7"))


def test_a_worker_shows_that_it_sees_the_files_that_settings_name(world: StorageWorld) -> None:
    world.sees("w")
    named(world)
    assert "has not shown yet" in why(world)
    world.sees("w")
    assert "has not shown yet" in why(world), "nobody has seen the gain"
    (asked,) = questions(world.do(ReferencesLooked((GAIN.path,), (GAIN,))))
    assert asked.references == [GAIN.path]
    world.sees("w", references=[SEEN_GAIN])
    assert why(world) == ""
    assert questions(world.do(ReferencesLooked((GAIN.path,), (GAIN,)))) == [], "it is the same file"
    newer = replace(GAIN, mtime_ns=8)
    assert len(questions(world.do(ReferencesLooked((GAIN.path,), (newer,))))) == 1
    assert "has not shown yet" in why(world)


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (
            wire.SeenFile(GAIN.path),
            "it does not see a file that settings name: /references/gain.mrc is not there; the --path-map on host has "
            "it at /mnt/gain.mrc: correct that, or mount it there",
        ),
        (wire.SeenFile(GAIN.path, GAIN.size, 6), "/references/gain.mrc has another size or time there; the --path-map"),
    ],
)
def test_a_worker_with_another_gain_gets_nothing(world: StorageWorld, seen: wire.SeenFile, text: str) -> None:
    named(world)
    world.do(ReferencesLooked((GAIN.path,), (GAIN,)))
    world.sees("w", references=[seen], looked_in={GAIN.path: "/mnt/gain.mrc"})
    assert text in why(world)
    assert world.status("a") == "unprocessed"


def test_settings_that_were_taken_back_before_their_files_were_seen_leave_no_worker_blind(world: StorageWorld) -> None:
    before = world.state.settings, world.state.references
    named(world)
    world.state.adopt(*before)
    world.sees("w")
    assert why(world) == ""


def test_after_a_start_no_worker_counts_as_seeing_files_that_nobody_has_looked_for(world: StorageWorld) -> None:
    """The settings are those of before, so nothing has changed; the first look may come after the first worker."""
    values = patch_settings(world.state.settings, {"import": {"gain_path": GAIN.path}})
    world.state.adopt(values, "gain_path:4096:7")
    world.sees("w")
    assert "has not shown yet" in why(world)


def test_a_look_at_files_can_be_recorded() -> None:
    look = ReferencesLooked((GAIN.path,), (GAIN,))
    packed = msgpack.packb(stimulus_to_plain(look))
    assert stimulus_from_plain(msgpack.unpackb(packed)) == look


def test_files_that_the_scheduler_does_not_see_are_asked_of_no_worker(world: StorageWorld) -> None:
    named(world)
    world.do(ReferencesLooked(("/another",), ()))
    assert "has not shown yet" in why(world), "that look was for other files"
    (asked,) = questions(world.do(ReferencesLooked((GAIN.path,), ())))
    assert asked.references == []
    world.sees("w")
    assert why(world) == ""
