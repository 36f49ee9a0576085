"""A worker that serves several sessions: all have their turn, none waits beside an idle device, none harms another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from tests.services.sharing_world import World
from warpcore.bus import messages as m
from warpcore.bus.vocabulary import WorkerState
from warpcore.services.worker.line import Noticed, Progress, Stage
from warpcore.services.worker.nanny import NOBODY
from warpcore.services.worker.turns import OPEN_S, Standing, Turns

GPU = "cuda:0"


def sessions(order: list[str]) -> str:
    """Whose movies ended, one letter each."""
    return "".join(name[0] for name in order)


def test_the_only_session_with_movies_has_the_whole_worker() -> None:
    world = World(2, GPU, processes=3)
    world.add(0, 30)
    assert world.in_hand == world.capacity == 9
    assert len(world.schedulers[0].held) == 9


def test_two_sessions_with_movies_have_it_in_turn() -> None:
    world = World(2)
    world.add(0, 40)
    world.add(1, 40)
    for _ in range(40):
        world.compute()
    settled = sessions(world.order)[4:]
    assert abs(settled.count("a") - settled.count("b")) <= 1
    assert "aaa" not in settled
    assert "bbb" not in settled


def test_a_movie_of_an_idle_session_waits_for_those_in_hand_alone() -> None:
    world = World(2, GPU)
    world.add(0, 100)
    for _ in range(10):
        world.compute()
    world.wait(OPEN_S + 1)
    in_hand = world.in_hand
    world.add(1, 1)
    for _ in range(in_hand + 1):
        world.compute()
    assert sessions(world.order)[-1] == "b"


def test_a_session_that_has_none_left_gives_its_part_back() -> None:
    world = World(2, GPU, processes=3)
    world.add(0, 100)
    world.add(1, 6)
    while "b" in sessions([*world.schedulers[1].held.values(), *world.schedulers[1].waiting]):
        for process in range(3):
            world.compute(process)
    world.wait(OPEN_S + 1)
    assert len(world.schedulers[0].held) == world.capacity


@pytest.mark.parametrize("forgets", [False, True])
def test_while_one_scheduler_hangs_the_other_has_the_whole_worker(forgets: bool) -> None:
    world = World(2, GPU, processes=2)
    world.add(0, 200)
    world.add(1, 50)
    world.schedulers[1].hangs = True
    for _ in range(30):
        world.wait(1)
        for process in range(2):
            world.compute(process)
    assert len(world.schedulers[0].held) == world.capacity
    assert len(world.schedulers[0].done) >= 50
    world.schedulers[1].hangs = False
    if forgets:
        world.say(1, m.UnknownWorker())
    for _ in range(60):
        world.wait(1)
        world.compute(0)
        world.compute(1)
    assert len(world.schedulers[1].done) == len(set(world.schedulers[1].done)) == 50


def test_a_worker_for_another_session_is_not_the_first_choice_of_this_one() -> None:
    world = World(2)
    world.wait(3)
    assert world.schedulers[1].beats[-1].state is WorkerState.IDLE
    world.add(0, 1)
    world.wait(0.5)
    beat = world.schedulers[1].beats[-1]
    assert (beat.state, beat.leases) == (WorkerState.BUSY, [])


def test_a_compute_process_that_dies_is_started_once_and_the_blame_is_no_other_sessions() -> None:
    world = World(2)
    world.add(0, 1)
    world.add(1, 1)
    ours, other = world.jobs[0]
    world.shared.from_compute(Progress(ours.number, Stage.COMPUTE, "ctf", 0.5), world.now)
    world.shared.from_compute(Progress(other.number, Stage.LOAD, "load", 0.5), world.now)
    world.die()
    (to_a,), (to_b,) = world.schedulers[0].died, world.schedulers[1].died
    assert (to_a.leases, to_a.culprit) == ([1], 1)
    assert (to_b.leases, to_b.culprit) == ([1], NOBODY)
    world.wait(1)
    assert world.starts == 2
    world.compute()
    world.compute()
    assert sorted(world.order) == ["a0", "b0"]


def test_a_death_that_nobody_saw_coming_is_each_sessions_own_to_judge() -> None:
    world = World(2)
    world.add(0, 1)
    world.add(1, 1)
    world.die()
    assert [scheduler.died[0].culprit for scheduler in world.schedulers] == [1, 1], "the only one of that session"


def test_a_task_that_does_not_stop_costs_the_other_sessions_movies_no_blame() -> None:
    world = World(2)
    world.add(0, 1)
    world.add(1, 1)
    world.jobs[0] = [one for one in world.jobs[0] if one.task.name != "a0"]
    kept = world.jobs
    world.jobs = {}  # the process does not listen
    world.say(0, m.CancelTask(1, "forgotten"))
    world.jobs = kept
    world.wait(12)
    (told,) = world.schedulers[1].died
    assert told.culprit == NOBODY
    assert "another session" in told.cause


def test_they_rest_and_wake_together() -> None:
    world = World(2, rest_after_s=10.0)
    world.add(0, 20)
    for _ in range(20):
        world.wait(1)
        world.compute()
    assert world.jobs, "a session's idleness does not end what another one uses"
    world.wait(12)
    assert not world.jobs
    world.add(1, 1)
    world.compute()
    assert world.order[-1] == "b0"
    assert not world.schedulers[0].died
    world.die()
    world.add(0, 1)
    world.wait(2)
    world.compute()
    assert world.order[-1].startswith("a")


def test_a_scheduler_that_sends_the_worker_away_is_left_and_the_others_are_not() -> None:
    world = World(2)
    world.add(0, 5)
    world.add(1, 5)
    world.say(0, m.DrainWorker("too many"))
    for _ in range(20):
        world.compute()
        world.wait(0.5)
    assert world.schedulers[0].goodbyes == 1
    assert len(world.schedulers[1].done) == 5
    assert not world.ended
    world.say(1, m.DrainWorker("too many"))
    world.wait(1)
    assert world.ended


def test_a_worker_is_idle_when_no_session_has_movies() -> None:
    world = World(2)
    for leaving in world.leaving:
        leaving.idle_end_s = 10.0
    world.add(0, 30)
    for _ in range(30):
        world.wait(1)
        world.compute()
    assert not world.ended
    world.wait(12)
    assert world.ended


def test_what_is_noticed_of_one_sessions_gain_is_told_to_that_one() -> None:
    world = World(2)
    world.shared._sessions = {"/a": 0, "/b": 1}
    world.shared.from_compute(Noticed(warnings=["the gain is upside down"], processing_directory="/b"), world.now)
    world.wait(3)
    assert world.schedulers[0].beats[-1].warnings == []
    assert world.schedulers[1].beats[-1].warnings == ["the gain is upside down"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 2), st.integers(1, 8)),
        st.tuples(st.just("compute"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 8), st.just(0)),
        st.tuples(st.just("hang"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("wake"), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("die"), st.integers(0, 1), st.just(0)),
        st.tuples(st.just("cancel"), st.integers(0, 2), st.just(0)),
    ),
    max_size=60,
)


@limits(max_examples=60)
@given(steps=STEPS, device=st.sampled_from(["cpu", GPU]), processes=st.integers(1, 2))
def test_whatever_happens_every_movie_is_done_once_and_by_its_own_session(
    steps: list[tuple[str, int, int]], device: str, processes: int
) -> None:
    world = World(3, device, processes, rest_after_s=6.0)
    for what, number, more in steps:
        scheduler = world.schedulers[min(number, 2)]
        match what:
            case "add":
                world.add(number, more)
            case "compute":
                world.compute(number)
            case "wait":
                world.wait(number)
            case "die":
                world.die(number)
            case "hang":
                scheduler.hangs = True
            case "wake":
                scheduler.hangs = False
                if more:
                    world.say(number, m.UnknownWorker())
            case "cancel" if scheduler.held and not scheduler.hangs:
                lease, name = scheduler.held.popitem()
                scheduler.waiting.append(name)
                world.say(number, m.CancelTask(lease, "taken back"))
    for scheduler in world.schedulers:
        scheduler.hangs = False
    for number in range(3):
        world.say(number, m.UnknownWorker())
    wanted = [len(one.done) + len(one.held) + len(one.waiting) for one in world.schedulers]
    for step in range(max(40, sum(wanted)) + 70):
        world.wait(2)
        for process in range(processes):
            world.compute(process)
        at_work = world.in_hand
        waiting = sum(len(one.waiting) for one in world.schedulers)
        healed = step > 5  # what was lost on the way is told again after seconds
        assert not healed or not world.jobs or at_work >= min(len(world.jobs), waiting), "a device idles"
    for scheduler, count in zip(world.schedulers, wanted, strict=True):
        assert len(scheduler.done) == len(set(scheduler.done)) == count
        assert all(name.startswith(scheduler.name) for name in scheduler.done)


@given(
    capacity=st.integers(0, 9),
    held=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans()), min_size=1, max_size=4),
    seconds=st.floats(0, 10),
)
def test_shares_are_never_more_than_fits_and_one_for_each(
    capacity: int, held: list[tuple[int, int, bool]], seconds: float
) -> None:
    turns = Turns(len(held))
    standings = [Standing(*one) for one in held]
    turns.shares(0.0, capacity, standings)
    shares = turns.shares(seconds, capacity, standings)
    assert all(0 <= share <= capacity for share in shares)
    assert sum(shares) <= capacity + 2 * len(held) - 2
    assert not capacity or min(shares) >= 1
