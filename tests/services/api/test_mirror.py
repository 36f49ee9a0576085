"""The mirror holds what a snapshot would tell, after any changes."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.services.api.mirrored_movies import mirror_of
from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.envelope import Envelope
from warpcore.bus.follower import Event, Reset
from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.api.mirror import Mirror
from warpcore.services.scheduler.core.effects import Effect, Publish
from warpcore.services.scheduler.core.stimuli import Stimulus
from warpcore.services.steps.chain import CHAIN

COLUMNS = [*(column.name for column in CHAIN.columns), "status", "selection", "worker", "priority", "generation"]


def reset_of(world: World) -> Reset:
    told = world.ask(wire.GetSnapshot())
    return Reset(told.seq, told.epoch, told.movies, told.settings, told.settings_revision, told.paused)


def told(mirror: Mirror) -> list[dict[str, Any]]:
    """All columns of all movies, as plain values."""
    copied = mirror.copied(COLUMNS)
    rows: list[dict[str, Any]] = [{"id": int(id)} for id in copied.ids]
    for name, numbers in copied.numbers.items():
        for row, number in zip(rows, numbers, strict=True):
            row[name] = None if np.isnan(number) else float(number)
    for name, codes in copied.codes.items():
        for row, code in zip(rows, codes, strict=True):
            row[name] = None if code < 0 else copied.words[name][code]
    return rows


class NumberedWorld(World):
    """Keeps the durable events as the change log numbers them."""

    def __init__(self, *paths: str, **options: Any) -> None:
        self.durable: list[Event] = []
        super().__init__(*paths, **options)

    def do(self, stimulus: Stimulus) -> list[Effect]:
        effects = super().do(stimulus)
        for effect in effects:
            if isinstance(effect, Publish) and effect.seq:
                self.durable.append(Event(Envelope(effect.topic, effect.body, "scheduler", seq=effect.seq)))
        return effects


def test_after_any_changes_it_holds_what_a_snapshot_tells() -> None:
    world = NumberedWorld("a.tif", "b/c.tif", "d.tif", workers=("w",))
    world.finish("a", picking={"certainty": 0.2, "count": 5})
    world.fail("b/c", "input")
    world.ask(wire.SelectItem("a", Selection.EXCLUDE))
    world.patch(ctf={"range_max": 5.0})
    world.files("a.mrc", "e.tif")
    followed = Mirror()
    followed.take(Reset(0, "e", [], {}, 0, False))
    for event in world.durable:
        followed.take(event)
    fresh = Mirror()
    fresh.take(reset_of(world))
    assert told(followed) == told(fresh)
    assert followed.copied([]).seq == fresh.copied([]).seq == world.state.seq
    assert {row["status"] for row in told(fresh)} >= {"outdated", "failed"}


@pytest.mark.parametrize(
    "results",
    [{"picking": {"certainty": "high"}}, {"ctf": [1.25]}, {"ctf": {"resolution_angstrom": 10**400}}],
)
def test_results_that_cannot_be_read_hide_no_other_movie(results: dict[str, Any]) -> None:
    bad, good = (
        wire.Movie(id, name, f"{name}.tif", 1, 1, MovieStatus.PROCESSED, results=results)
        for id, name, results in ((1, "bad", results), (2, "good", {"ctf": {"defocus_um": 1.5}}))
    )
    read = mirror_of([bad, good])
    followed = mirror_of([])
    for seq, movie in enumerate((bad, good), 1):
        body = wire.MovieEvent(movie=movie).to_body()
        followed.take(Event(Envelope("movie.done", body, "scheduler", seq=seq)))
    assert told(read) == told(followed)
    assert [row["status"] for row in told(read)] == ["processed", "processed"]
    assert [row["ctf.defocus_um"] for row in told(read)] == [None, 1.5]


def test_only_movies_that_changed_have_a_newer_change_number() -> None:
    world = NumberedWorld("a.tif", "b.tif", workers=("w",))
    mirror = Mirror()
    mirror.take(reset_of(world))
    world.ask(wire.SelectItem("b", Selection.INCLUDE))
    mirror.take(world.durable[-1])
    copied = mirror.copied([])
    assert (copied.changed_seq > copied.reset_seq).tolist() == [False, True]


def test_it_grows_and_stays_whole_while_others_read() -> None:
    movie = wire.Movie(1, "m1", "m1.tif", 1, 1, MovieStatus.UNPROCESSED)
    mirror = Mirror()
    mirror.take(Reset(0, "e", [], {}, 0, False))
    torn: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            copied = mirror.copied(["priority", "status"])
            lengths = {len(copied.names), len(copied.ids), len(copied.numbers["priority"]), len(copied.codes["status"])}
            torn.extend(lengths if len(lengths) > 1 else [])
            torn.extend(np.flatnonzero(copied.numbers["priority"] != copied.ids).tolist())

    reader = threading.Thread(target=read)
    reader.start()
    for id in range(1, 3001):
        one = msgspec.structs.replace(movie, id=id, name=f"m{id}", priority=id)
        body = wire.MovieEvent(one).to_body()
        mirror.take(Event(Envelope("movie.added", body, "scheduler", seq=id)))
    done.set()
    reader.join()
    assert not torn
    assert mirror.copied([]).names[-1] == "m3000"
