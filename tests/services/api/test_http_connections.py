"""Which connections are taken and which are closed: a state machine without sockets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warpcore.services.api.http.connections import Admission, Connections, Limits, Phase, client_of

SMALL = Limits(most=6, most_of_one=3, head_s=10, body_s=30, stalled_s=60)


def test_a_client_with_too_many_loses_the_one_that_has_waited_longest() -> None:
    connections = Connections(SMALL)
    for number in range(3):
        assert connections.admit(number, "a", now=number) == Admission(True)
    connections.turns(0, Phase.ANSWER, now=3)
    assert connections.admit(3, "a", now=4) == Admission(True, instead_of=1)
    assert connections.admit(4, "b", now=4) == Admission(True), "another client pays for it"


def test_a_client_whose_connections_all_have_a_request_in_work_gets_no_more() -> None:
    connections = Connections(SMALL)
    for number in range(3):
        connections.admit(number, "a", now=0)
        connections.turns(number, Phase.ANSWER, now=0)
    assert not connections.admit(3, "a", now=1).taken
    assert connections.admit(3, "b", now=1).taken
    connections.goes(0)
    assert connections.admit(4, "a", now=1).taken


def test_where_all_are_taken_the_client_that_has_most_waiting_loses_one() -> None:
    connections = Connections(SMALL)
    connections.admit(0, "page", now=0)
    connections.turns(0, Phase.IDLE, now=0)
    for number, client in enumerate(["x", "x", "x", "y", "y"], start=1):
        connections.admit(number, client, now=number)
    assert connections.admit(9, "new", now=9) == Admission(True, instead_of=1)
    assert connections.phase(0) is Phase.IDLE
    assert len(connections) == SMALL.most


def test_a_proxy_may_have_all_connections() -> None:
    connections = Connections(SMALL)
    for number in range(SMALL.most):
        assert connections.admit(number, "p", now=0, is_proxy=True) == Admission(True)
        connections.turns(number, Phase.ANSWER, now=0)
    assert not connections.admit(9, "p", now=1, is_proxy=True).taken


@pytest.mark.parametrize(
    ("phase", "longest_s"), [(Phase.HEAD, 10), (Phase.BODY, 30), (Phase.CLOSING, None), (Phase.ANSWER, None)]
)
def test_each_phase_but_the_answer_has_an_end(phase: Phase, longest_s: float | None) -> None:
    connections = Connections(SMALL)
    connections.admit(0, "a", now=0)
    connections.turns(0, phase, now=0)
    if longest_s is None:
        assert not connections.overdue(now=10**6), "a stream of events or a big download was ended"
        return
    assert not connections.overdue(now=longest_s)
    assert connections.overdue(now=longest_s + 0.1) == [0]


def test_a_head_that_trickles_is_not_given_more_time() -> None:
    connections = Connections(SMALL)
    connections.admit(0, "a", now=0)
    for now in range(10):
        connections.turns(0, Phase.HEAD, now=now)
    assert connections.overdue(now=10.5) == [0]


@pytest.mark.parametrize("phase", [Phase.ANSWER, Phase.CLOSING])
def test_a_client_that_takes_nothing_of_its_answer_is_closed_and_a_slow_one_is_not(phase: Phase) -> None:
    connections = Connections(SMALL)
    connections.admit(0, "a", now=0)
    connections.turns(0, phase, now=0)
    for now in range(0, 600, 50):  # it takes a little each 50 s
        connections.waits(0, 1000 - now, now)
        assert not connections.overdue(now + 49)
    for now in range(600, 1200, 50):  # it takes as much as is written
        connections.waits(0, 400, now)
        connections.takes(0, now)
        assert not connections.overdue(now + 49)
    for now in range(1200, 1250, 10):
        connections.waits(0, now, now)
    assert connections.overdue(1250) == [0]


def test_who_has_taken_all_may_wait_for_more() -> None:
    connections = Connections(SMALL)
    connections.admit(0, "a", now=0)
    connections.turns(0, Phase.ANSWER, now=0)
    connections.waits(0, 10, now=0)
    connections.waits(0, 0, now=50)
    assert not connections.overdue(now=1000)
    connections.waits(0, 10, now=1000)
    assert not connections.overdue(now=1050)


def test_at_the_end_those_without_a_request_in_work_go() -> None:
    connections = Connections(SMALL)
    for number, phase in enumerate((Phase.HEAD, Phase.BODY, Phase.ANSWER, Phase.IDLE, Phase.CLOSING)):
        connections.admit(number, str(number), now=0)
        connections.turns(number, phase, now=0)
    assert connections.waiting() == [0, 3]


def test_what_closes_does_not_come_back() -> None:
    connections = Connections(SMALL)
    connections.admit(0, "a", now=0)
    connections.turns(0, Phase.CLOSING, now=0)
    connections.turns(0, Phase.ANSWER, now=1)
    assert connections.phase(0) is Phase.CLOSING


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from([*Phase, None]), st.booleans()), min_size=1, max_size=60
    )
)
def test_limits_hold_and_nobody_with_a_request_in_work_is_pushed_out(
    story: list[tuple[str, Phase | None, bool]],
) -> None:
    connections = Connections(SMALL)
    clients: dict[int, str] = {}
    for number, (client, phase, ends) in enumerate(story):
        before = {one: connections.phase(one) for one in clients}
        admission = connections.admit(number, client, now=number)
        if admission.instead_of is not None:
            assert before[admission.instead_of] not in (Phase.ANSWER, Phase.BODY)
            del clients[admission.instead_of]
        if not admission.taken:
            assert all(before[one] in (Phase.ANSWER, Phase.BODY) for one in clients if clients[one] == client) or (
                len(clients) == SMALL.most
            )
            continue
        clients[number] = client
        if phase is not None:
            connections.turns(number, phase, now=number)
        if ends:
            connections.goes(number)
            del clients[number]
        assert len(connections) == len(clients) <= SMALL.most
        assert sum(one == client for one in clients.values()) <= SMALL.most_of_one


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
    ],
)
def test_one_client_is_one_address_or_one_network_of_ipv6(address: str, client: str) -> None:
    assert client_of(address) == client
