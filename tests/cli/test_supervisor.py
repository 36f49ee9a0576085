"""The supervisor's decisions: restarts with growing pauses, an orderly end in bounded time, wrong configuration."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warpcore.cli.supervisor import (
    FIRST_WAVE_S,
    LONGEST_PAUSE_S,
    SECOND_WAVE_S,
    SETTLED_S,
    Finished,
    Kill,
    Say,
    Start,
    Supervisor,
    Terminate,
)

LONGEST_END_S = 10.0
"""`up` promises to be gone after this long."""


def session() -> Supervisor:
    return Supervisor(["scheduler", "tracker", "worker-1"], last=frozenset({"scheduler"}))


def test_all_services_start_at_once_and_get_what_holds_for_the_beginning() -> None:
    assert session().begin(0.0) == [Start(name, first=True) for name in ("scheduler", "tracker", "worker-1")]


def test_a_service_that_ends_is_started_again_after_a_pause() -> None:
    supervisor = session()
    supervisor.begin(0.0)
    (said,) = supervisor.exited("tracker", -9, 20.0)
    assert said == Say("tracker ended (killed by signal 9); starting it again in 0.5 s", error=True)
    assert supervisor.tick(20.4) == []
    assert supervisor.tick(20.5) == [Start("tracker", first=False)]
    assert supervisor.tick(20.6) == []


def test_the_pause_grows_while_a_service_keeps_ending_and_is_short_again_after_it_ran_well() -> None:
    supervisor = session()
    supervisor.begin(0.0)
    now, pauses = 0.0, []
    for _ in range(9):
        supervisor.exited("worker-1", 1, now)
        begun = now
        while not any(isinstance(action, Start) for action in supervisor.tick(now)):
            now += 0.25
        pauses.append(now - begun)
    assert pauses == [0.5, 1, 2, 4, 8, 16, LONGEST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]
    now += SETTLED_S
    supervisor.exited("worker-1", 1, now)
    assert supervisor.tick(now + 0.5) == [Start("worker-1", first=False)]


def test_what_holds_for_the_beginning_is_given_until_the_service_has_run_well() -> None:
    supervisor = session()
    supervisor.begin(0.0)
    supervisor.exited("scheduler", -9, 1.0)
    assert supervisor.tick(2.0) == [Start("scheduler", first=True)]
    supervisor.tick(2.0 + SETTLED_S)
    supervisor.exited("scheduler", -9, 13.0)
    assert supervisor.tick(14.0) == [Start("scheduler", first=False)]


def test_a_wrong_configuration_at_the_start_ends_the_session() -> None:
    supervisor = session()
    supervisor.begin(0.0)
    actions = supervisor.exited("tracker", 78, 1.0)
    assert actions[1:] == [Terminate("worker-1")]
    assert supervisor.exited("worker-1", 0, 1.5) == [Terminate("scheduler")]
    assert supervisor.exited("scheduler", 0, 2.0) == [Finished("tracker")]


def test_the_same_status_from_a_service_that_has_run_well_only_restarts_it() -> None:
    """A data directory that is away for a moment must not end a session of days."""
    supervisor = session()
    supervisor.begin(0.0)
    supervisor.exited("tracker", 78, 60.0)
    assert not supervisor.ending
    assert supervisor.tick(61.0) == [Start("tracker", first=False)]
    supervisor.exited("tracker", 78, 61.5)
    assert not supervisor.ending


def test_the_scheduler_is_told_last() -> None:
    supervisor = session()
    supervisor.begin(0.0)
    assert supervisor.end(5.0) == [Terminate("tracker"), Terminate("worker-1")]
    assert supervisor.exited("tracker", 0, 5.1) == []
    assert supervisor.exited("worker-1", 0, 5.2) == [Terminate("scheduler")]
    assert supervisor.exited("scheduler", 0, 5.3) == [Finished(None)]


def test_what_does_not_end_is_killed() -> None:
    supervisor = session()
    supervisor.begin(0.0)
    supervisor.end(0.0)
    supervisor.exited("tracker", 0, 0.1)
    assert supervisor.tick(FIRST_WAVE_S - 0.1) == []
    assert supervisor.tick(FIRST_WAVE_S) == [Kill("worker-1"), Terminate("scheduler")]
    supervisor.exited("worker-1", -9, FIRST_WAVE_S)
    assert supervisor.tick(FIRST_WAVE_S + SECOND_WAVE_S) == [Kill("scheduler")]
    assert FIRST_WAVE_S + SECOND_WAVE_S < LONGEST_END_S


def test_a_service_that_has_longer_to_end_is_waited_for_and_the_others_are_not() -> None:
    """A pool cancels its jobs at the end, which its batch system may take long to carry out."""
    names = ["scheduler", "tracker", "pool-gpu"]
    supervisor = Supervisor(names, last=frozenset({"scheduler"}), ends_within_s={"pool-gpu": 70.0})
    supervisor.begin(0.0)
    told = Say("pool-gpu may take up to 70 s to end its jobs")
    assert supervisor.end(100.0) == [Terminate("tracker"), Terminate("pool-gpu"), told]
    assert supervisor.tick(100.0 + FIRST_WAVE_S) == [Kill("tracker")]
    assert supervisor.exited("tracker", -9, 106.0) == []
    assert supervisor.tick(169.9) == []
    assert supervisor.tick(170.0) == [Kill("pool-gpu"), Terminate("scheduler")]


def test_where_it_ends_in_time_the_rest_follows_at_once() -> None:
    supervisor = Supervisor(["scheduler", "pool-gpu"], last=frozenset({"scheduler"}), ends_within_s={"pool-gpu": 70.0})
    supervisor.begin(0.0)
    supervisor.end(100.0)
    assert supervisor.exited("pool-gpu", 0, 130.0) == [Terminate("scheduler")]


def test_a_second_request_to_end_kills_at_once() -> None:
    supervisor = session()
    supervisor.begin(0.0)
    supervisor.end(0.0)
    assert supervisor.end(0.1) == [Kill("scheduler"), Kill("tracker"), Kill("worker-1")]


def test_a_service_that_waits_for_its_restart_is_not_started_at_the_end() -> None:
    supervisor = session()
    supervisor.begin(0.0)
    supervisor.exited("worker-1", 1, 1.0)
    supervisor.end(1.1)
    assert not any(isinstance(action, Start) for now in (2.0, 3.0) for action in supervisor.tick(now))


STIMULI = st.lists(
    st.tuples(
        st.floats(0.01, 20.0),
        st.one_of(
            st.tuples(st.sampled_from(["scheduler", "tracker", "worker-1"]), st.sampled_from([0, 1, 2, 78, -9, -11])),
            st.just("tick"),
            st.just("end"),
        ),
    ),
    max_size=60,
)


@given(STIMULI)
def test_whatever_happens_a_session_that_is_ended_finishes_in_time_and_once(
    stimuli: list[tuple[float, object]],
) -> None:
    """Processes here end only when killed: the worst case for the time that the end takes."""
    supervisor = session()
    alive: set[str] = set()
    finished = 0

    def carry_out(actions: list[object]) -> None:
        nonlocal finished
        for action in actions:
            if isinstance(action, Start):
                assert action.service not in alive, "started twice"
                assert not supervisor.ending
                alive.add(action.service)
            elif isinstance(action, Kill):
                killed.append(action.service)
            elif isinstance(action, Finished):
                assert not alive
                finished += 1

    killed: list[str] = []
    now = 0.0
    carry_out(list(supervisor.begin(now)))
    for pause_s, stimulus in stimuli:
        now += pause_s
        if stimulus == "tick":
            carry_out(list(supervisor.tick(now)))
        elif stimulus == "end":
            carry_out(list(supervisor.end(now)))
        elif isinstance(stimulus, tuple) and stimulus[0] in alive:
            alive.discard(stimulus[0])
            carry_out(list(supervisor.exited(stimulus[0], stimulus[1], now)))
        assert set(supervisor.running) == alive
    if not supervisor.ending:
        carry_out(list(supervisor.end(now)))
    deadline = now + LONGEST_END_S - 1.0
    while alive and now < deadline:
        now += 0.1
        while killed:
            name = killed.pop()
            if name in alive:
                alive.discard(name)
                carry_out(list(supervisor.exited(name, -9, now)))
        carry_out(list(supervisor.tick(now)))
    assert not alive
    assert finished == 1
