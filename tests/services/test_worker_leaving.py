"""A worker ends by itself before its job does, after long idleness, and when it is asked to: with nothing in hand."""

from __future__ import annotations

import pytest

from tests.services.nanny_talk import NOTHING, READY, answer, commands, sent, task
from warpcore.bus import messages as m
from warpcore.services.worker.effects import Effect, End
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.leaving import MARGIN_S, UNKNOWN_MOVIE_S, Leaving
from warpcore.services.worker.line import Begin, Finished
from warpcore.services.worker.nanny import Nanny


def nanny_with(leaving: Leaving) -> Nanny:
    """A registered nanny with a ready compute process, at 1 s."""
    nanny = Nanny(Identity("w", "i", "h", 1), leaving=leaving)
    nanny.start(0.0)
    effects = nanny.from_compute(READY, 1.0)
    answer(nanny, effects, m.RegisterWorker, m.WorkerRegistered("w", 2.0, []), 1.0)
    return nanny


def ends(effects: list[Effect]) -> list[str]:
    return [effect.why for effect in effects if isinstance(effect, End)]


def pulls(effects: list[Effect]) -> list[int]:
    return [message.credit for message in sent(effects) if isinstance(message, m.PullTasks)]


def do_movie(nanny: Nanny, lease: int, begun: float, seconds: float) -> None:
    nanny.from_scheduler(task(lease), None, begun)
    finished = nanny.from_compute(Finished(lease, ["motion"], {}, {}), begun + seconds)
    answer(nanny, finished, m.TaskFinished, m.Ok(), begun + seconds)


def test_it_takes_no_movie_that_its_job_has_no_time_for() -> None:
    nanny = nanny_with(Leaving(ends_at=1000.0))
    do_movie(nanny, 1, begun=10.0, seconds=30.0)
    do_movie(nanny, 2, begun=50.0, seconds=200.0)
    do_movie(nanny, 3, begun=300.0, seconds=20.0)
    last = 1000.0 - 200.0 - MARGIN_S
    assert ends(nanny.tick(last, NOTHING)) == []
    effects = nanny.tick(last + 1, NOTHING)
    assert pulls(effects) == [0]
    assert ends(effects) == ["its job ends in 219 s, and a movie took up to 200 s"]


def test_it_finishes_what_it_has_and_takes_nothing_that_comes_late() -> None:
    nanny = nanny_with(Leaving(ends_at=500.0))
    nanny.from_scheduler(task(1), None, 10.0)
    effects = nanny.tick(500.0 - UNKNOWN_MOVIE_S - MARGIN_S + 1, NOTHING)
    assert pulls(effects) == [0]
    assert ends(effects) == []
    late = nanny.from_scheduler(task(2), None, 430.0)
    assert not any(isinstance(command, Begin) for command in commands(late))
    finished = nanny.from_compute(Finished(1, ["motion"], {}, {}), 440.0)
    assert ends(nanny.tick(440.5, NOTHING)) == []
    answer(nanny, finished, m.TaskFinished, m.Ok(), 441.0)
    assert len(ends(nanny.tick(441.5, NOTHING))) == 1


def test_it_ends_after_long_idleness_counted_from_its_last_movie() -> None:
    nanny = nanny_with(Leaving(idle_end_s=120.0))
    nanny.tick(2.0, NOTHING)
    do_movie(nanny, 1, begun=100.0, seconds=30.0)
    nanny.tick(101.0, NOTHING)
    nanny.from_scheduler(task(2), None, 131.0)
    nanny.tick(132.0, NOTHING)
    answer(nanny, nanny.from_compute(Finished(2, ["motion"], {}, {}), 140.0), m.TaskFinished, m.Ok(), 140.0)
    nanny.tick(141.0, NOTHING)
    assert ends(nanny.tick(260.0, NOTHING)) == []
    assert ends(nanny.tick(261.0, NOTHING)) == ["it has had no movie for 2 min"]


def test_it_is_not_idle_before_the_scheduler_knows_it() -> None:
    nanny = Nanny(Identity("w", "i", "h", 1), leaving=Leaving(idle_end_s=60.0))
    nanny.start(0.0)
    nanny.from_compute(READY, 1.0)
    assert ends(nanny.tick(1000.0, NOTHING)) == []


def test_it_is_idle_where_the_scheduler_is_gone_that_knew_it() -> None:
    nanny = nanny_with(Leaving(idle_end_s=60.0))
    nanny.tick(2.0, NOTHING)
    nanny.from_scheduler(m.UnknownWorker(), None, 3.0)
    assert not nanny.registered
    nanny.tick(4.0, NOTHING)
    assert ends(nanny.tick(61.0, NOTHING)) == []
    assert ends(nanny.tick(64.0, NOTHING)) == ["it has had no movie for 1 min"]


@pytest.mark.parametrize("holds", [False, True])
def test_it_leaves_when_it_is_asked_to_however_often(holds: bool) -> None:
    nanny = nanny_with(Leaving())
    if holds:
        nanny.from_scheduler(task(1), None, 2.0)
    effects = nanny.from_scheduler(m.DrainWorker("the pool has one worker too many"), None, 3.0)
    assert pulls(effects) == [0]
    assert ends(effects) == ([] if holds else ["the pool has one worker too many"])
    again = nanny.from_scheduler(m.DrainWorker("the pool has one worker too many"), None, 4.0)
    assert pulls(again) == []
    beat = [message for message in sent(nanny.tick(10.0, NOTHING)) if isinstance(message, m.Heartbeat)]
    assert [message.credit for message in beat] == [0]
