"""A session that is started gets ports that nobody has, all that the user has named, and a name of its own."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import astuple, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warpcore.cli.errors import CliError
from warpcore.cli.plan import Ports, SessionOptions
from warpcore.cli.session_ports import choose_ports, placed, port_block, told_ports, unused_name
from warpcore.services.access.sessions import OwnSession, SessionPorts, own_instance, own_turn, running, told

FIELDS = ("rest", "controller", "control", "events_in", "events_out")


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sessions but those of the test."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "runtime").mkdir(mode=0o700)  # any other is passed by for the one of the host


def test_the_first_session_has_the_usual_ports_and_the_next_ones_blocks_beside_them() -> None:
    assert port_block(0, None) == Ports()
    assert astuple(port_block(1, None)) == (5001, 8084, 8085, 8086, 8087)
    assert astuple(port_block(0, 6000)) == (6000, 6001, 6002, 6003, 6004)
    assert astuple(port_block(2, 6000)) == (6010, 6011, 6012, 6013, 6014)
    blocks = [port for number in range(100) for port in astuple(port_block(number, None))]
    assert len(set(blocks)) == len(blocks)


@given(
    taken=st.sets(st.integers(8080, 8110) | st.integers(5000, 5008)),
    named=st.dictionaries(st.sampled_from(FIELDS), st.integers(5000, 5008) | st.integers(8080, 8110), max_size=3),
)
def test_what_is_named_stays_and_all_others_are_free_and_lie_together(taken: set[int], named: dict[str, int]) -> None:
    ports = choose_ports(named, None, lambda port: port not in taken)
    assert ports is not None
    found = {field: getattr(ports, field) for field in FIELDS}
    assert named.items() <= found.items()
    chosen = {field: port for field, port in found.items() if field not in named}
    assert not taken & set(chosen.values())
    assert not set(named.values()) & set(chosen.values())
    assert any(all(getattr(port_block(n, None), f) == port for f, port in chosen.items()) for n in range(100))


def test_where_all_are_in_use_none_are_chosen() -> None:
    assert choose_ports({}, None, lambda port: False) is None
    assert choose_ports({}, 65533, lambda port: True) is None, "there is no port above 65535"


def test_the_line_tells_the_ports_that_commands_need_and_only_where_they_are_not_the_usual() -> None:
    assert told_ports(Ports(), Ports(), ()) == ""
    assert told_ports(Ports(rest=1), Ports(rest=1), {"rest"}) == ""
    line = told_ports(port_block(1, None), Ports(), ())
    assert line == (
        "not all of the usual ports 5000, 8080, 8081, 8082, 8083 are free: this session has 5001 (page), "
        "8084 (workers), 8085 (commands), 8086 (events in), 8087 (events out)"
    )


def test_a_name_is_one_that_no_other_session_has() -> None:
    assert unused_name("grid", []) == "grid"
    assert unused_name("grid", ["grid"]) == "grid-2"
    assert unused_name("grid", ["grid", "grid-2", "x"]) == "grid-3"


def options(tmp_path: Path) -> SessionOptions:
    return SessionOptions(tmp_path / "movies", tmp_path / "grid one")


def other(ports: SessionPorts, name: str = "grid-one") -> OwnSession:
    return OwnSession(name, own_instance(), "/p", "/d", "127.0.0.1", ports)


def test_ports_that_another_program_or_session_has_are_left_alone(
    tmp_path: Path, free_ports_block: int, capsys: pytest.CaptureFixture[str]
) -> None:
    first = free_ports_block
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", first + 2))
        listener.listen()
        stack.enter_context(told(other(SessionPorts(*range(first + 5, first + 10)))))
        found = placed(options(tmp_path), (), first, None)
    assert astuple(found.ports) == tuple(range(first + 10, first + 15))
    assert found.name == "grid-one-2"
    assert f"this session has {first + 10} (page)" in capsys.readouterr().err


def test_a_named_port_is_never_replaced(tmp_path: Path, free_ports_block: int) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        rest = listener.getsockname()[1]
        given = replace(options(tmp_path), ports=Ports(rest=rest))
        assert placed(given, {"rest"}, free_ports_block, None).ports.rest == rest


def test_a_name_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    with (
        told(other(SessionPorts(1, 2, 3, 4, 5), "krios1")),
        pytest.raises(CliError, match="krios1: a session of yours"),
    ):
        placed(options(tmp_path), (), None, "krios1")


def test_while_a_session_starts_no_other_one_chooses(tmp_path: Path) -> None:
    import fcntl
    import os

    from warpcore.services.access.sessions import folder

    def is_locked() -> bool:
        handle = os.open(folder(), os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    with own_turn() as turn:
        assert is_locked()
        with told(other(SessionPorts(1, 2, 3, 4, 5))):
            turn.close()
            assert not is_locked()
            assert len(running()) == 1
