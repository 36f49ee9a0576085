"""`--session`: a session is found by name or folder, the only one by itself, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from warpcore.cli.errors import USAGE, CliError
from warpcore.cli.main import app
from warpcore.cli.session_option import Asked, Given, chosen, for_session
from warpcore.services.access import sessions as own
from warpcore.services.access.sessions import OwnSession, SessionPorts, own_instance

Command = Callable[..., Any]
NOT, VARIABLE, LINE = Given


def session(name: str, processing: str, first: int = 9000) -> OwnSession:
    ports = SessionPorts(*range(first, first + 5))
    page = f"http://127.0.0.1:{first}"
    return OwnSession(name, own_instance(), processing, "/data", "127.0.0.1", ports, f"{processing}/access", page=page)


ONE, TWO = session("krios1", "/out/a"), session("krios2", "/out/b", 9100)


@pytest.mark.parametrize("text", ["krios2", "/out/b", "/out/b/", "/out/a/../b"])
def test_a_session_is_found_by_its_name_and_by_its_processing_directory(text: str) -> None:
    assert chosen(Asked(text, LINE, NOT), [ONE, TWO], alone=True) is TWO


def test_a_name_goes_before_a_folder_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = session("other", str(tmp_path / "krios1"))
    assert chosen(Asked("krios1", LINE, NOT), [folder, ONE], alone=True) is ONE
    assert chosen(Asked("krios1", LINE, NOT), [folder], alone=True) is folder


def test_the_only_one_is_meant_where_nothing_is_said() -> None:
    assert chosen(Asked(None, NOT, NOT), [ONE], alone=True) is ONE
    assert chosen(Asked(None, NOT, NOT), [ONE], alone=False) is None
    assert chosen(Asked(None, NOT, NOT), [], alone=True) is None


@pytest.mark.parametrize("place", [VARIABLE, LINE])
def test_what_a_command_is_told_of_a_place_holds(place: Given) -> None:
    assert chosen(Asked(None, NOT, place), [ONE, TWO], alone=True) is None


def test_the_command_line_goes_before_the_environment() -> None:
    assert chosen(Asked("krios1", VARIABLE, LINE), [ONE], alone=True) is None
    assert chosen(Asked("krios1", LINE, VARIABLE), [ONE], alone=True) is ONE
    with pytest.raises(CliError, match="not both"):
        chosen(Asked("krios1", LINE, LINE), [ONE], alone=True)


@pytest.mark.parametrize(
    ("asked", "sessions", "words"),
    [
        (Asked(None, NOT, NOT), [ONE, TWO], ["--session NAME", "krios1 (/out/a), krios2 (/out/b)"]),
        (Asked("krios3", LINE, NOT), [ONE], ["called krios3", "these run: krios1 (/out/a)"]),
        (Asked("krios3", LINE, NOT), [], ["called krios3", "none of yours runs on this host"]),
        (Asked("x", LINE, NOT), [session("x", "/1"), session("x", "/2"), ONE], ["several", "x (/1), x (/2)"]),
    ],
)
def test_an_unknown_or_ambiguous_one_is_one_line_with_those_that_exist(
    asked: Asked, sessions: list[OwnSession], words: list[str]
) -> None:
    with pytest.raises(CliError) as refused:
        chosen(asked, sessions, alone=True)
    assert refused.value.code == USAGE
    assert len(str(refused.value).splitlines()) == 1
    for word in words:
        assert word in str(refused.value)


def test_every_command_that_asks_a_session_can_be_told_which() -> None:
    asks = {"scheduler", "url", "access"}
    without: list[str] = []

    def look(command: Any, name: str) -> None:
        for child, one in getattr(command, "commands", {}).items():
            look(one, f"{name} {child}")
        parameters = {parameter.name for parameter in command.params}
        if parameters & asks and "session" not in parameters:
            without.append(name)

    look(get_command(app), "warpcore")
    assert without == ["warpcore up", "warpcore scheduler"], "these two are a session, and ask none"


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Sessions that are told to this user's commands."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    @contextmanager
    def run(*sessions: OwnSession) -> Iterator[None]:
        where = own.make_private(own.folder())
        for number, one in enumerate(sessions):
            own.write_private(where / f"{number}.json", own.msgspec.json.encode(one).decode())
        yield

    return run


def asked_for(*arguments: str) -> dict[str, Any]:
    """What a command with such options gets of these arguments."""
    found: dict[str, Any] = {}
    small = typer.Typer()

    @small.command()
    def status(
        scheduler: str = typer.Option("127.0.0.1", "--scheduler"),
        control_port: int = typer.Option(8081, "--control-port", envvar="WARPCORE_CONTROL_PORT"),
    ) -> None:
        found.update(scheduler=scheduler, control_port=control_port)

    small.registered_commands[0].callback = for_session(status)
    small(list(arguments), standalone_mode=False)
    return found


def test_a_command_gets_the_ports_of_the_session(two: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    usual = {"scheduler": "127.0.0.1", "control_port": 8081}
    assert asked_for() == usual
    with two(ONE):
        assert asked_for() == usual | {"control_port": 9002}
        assert asked_for("--control-port", "7") == usual | {"control_port": 7}
        assert asked_for("--scheduler", "gpu1") == {"scheduler": "gpu1", "control_port": 8081}
        with two(ONE, TWO):
            with pytest.raises(CliError, match="say which session"):
                asked_for()
            assert asked_for("--session", "krios2")["control_port"] == 9102
            monkeypatch.setenv("WARPCORE_SESSION", "/out/a")
            assert asked_for()["control_port"] == 9002
            assert asked_for("--control-port", "8081")["control_port"] == 8081
            monkeypatch.setenv("WARPCORE_CONTROL_PORT", "5")
            assert asked_for("--session", "krios2")["control_port"] == 9102


def test_a_host_is_checked_without_a_session(two: Callable[..., Any], command: Command) -> None:
    with two(ONE, TWO):
        assert "say which session" not in command("check").stderr


def test_keys_of_the_session_that_is_named(two: Callable[..., Any], command: Command) -> None:
    with two(ONE, TWO):
        done = command("keys", "list", "--session", "krios2")
        assert done.returncode == 1
        assert "/out/b/access" in done.stderr
        assert command("keys", "list", "--session", "x").returncode == USAGE
        for group in ("keys", "tokens"):
            asked = command(group, "list")
            assert (asked.returncode, asked.stdout) == (USAGE, "")
            assert "say which session is meant" in asked.stderr


def test_sessions_are_listed_for_people_and_programs(two: Callable[..., Any], command: Command) -> None:
    import json

    assert "no session of yours runs" in command("sessions").stderr
    with two(ONE, TWO):
        listed = json.loads(command("sessions", "--json").stdout)
        text = command("sessions").stdout
    assert [one["name"] for one in listed] == ["krios1", "krios2"]
    assert listed[1]["ports"]["control"] == 9102
    assert listed[1]["keys"] is True
    assert "access" not in listed[1]
    assert "krios2" in text
    assert "http://127.0.0.1:9100" in text
