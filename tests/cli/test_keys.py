"""`warpcore keys`, and which key commands and services use: over a real session's files, without its processes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from warpcore.bus.vocabulary import Role, ServiceName
from warpcore.cli import up
from warpcore.cli.errors import CONFIGURATION, USAGE, CliError
from warpcore.cli.main import app
from warpcore.cli.own_keys import at_hand, checked_access, is_loopback, key_for, operator_key, with_keys
from warpcore.cli.plan import Ports, SessionOptions, session_services
from warpcore.services.access.keys import known_keys, read_key
from warpcore.services.access.places import Access
from warpcore.services.access.private import AccessError
from warpcore.services.access.token_files import own_token
from warpcore.services.worker.service import named

PORTS = Ports(1, 2, 3, 4, 5)
PAGE = "https://lab.example:1"


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This user's runtime directory, in which no session runs."""
    where = tmp_path / "runtime"
    where.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(where))
    return where


@pytest.fixture
def options(tmp_path: Path) -> SessionOptions:
    (tmp_path / "out").mkdir()
    return SessionOptions(tmp_path / "data", tmp_path / "out", PORTS, access=Access.of(None, tmp_path / "out").folder)


@pytest.fixture
def session(options: SessionOptions) -> Iterator[SessionOptions]:
    """As `up` tells of itself."""
    with at_hand(with_keys(options), PAGE) as told:
        yield told


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["keys", *arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout


def test_a_key_is_added_listed_and_revoked(tmp_path: Path) -> None:
    where = ("--access", str(tmp_path / "access"))
    path = Path(run("add", "gpu1", "--role", "worker", *where).strip())
    assert read_key(path).holder.name == "gpu1"
    run("add", "t", "--role", "service", "--service", "tracker", *where)
    listed = json.loads(run("list", "--json", *where))
    assert [(one["name"], one["role"], one["service"]) for one in listed] == [
        ("gpu1", "worker", None),
        ("t", "service", "tracker"),
    ]
    assert "secret" not in json.dumps(listed)
    assert all(time.time() - 60 < one["made_at"] <= time.time() for one in listed)
    titles, gpu1, _tracker = run("list", *where).splitlines()
    assert titles.split() == ["name", "role", "service", "made"]
    assert gpu1.split()[:2] == ["gpu1", "worker"]
    run("revoke", "gpu1", *where)
    assert not path.exists()
    assert [one.name for one in known_keys(Access(tmp_path / "access"))] == ["t"]


def test_the_keys_of_the_one_session_that_runs_are_meant(session: SessionOptions) -> None:
    path = Path(run("add", "gpu1", "--role", "worker").strip())
    assert path == session.processing / ".warpcore" / "access" / "keys" / "gpu1.toml"


def test_who_gets_a_key_is_told_the_ports_of_a_session_that_has_not_the_usual_ones(options: SessionOptions) -> None:
    def told() -> str:
        name = f"k{len(known_keys(Access(options.access or Path())))}"
        return str(CliRunner().invoke(app, ["keys", "add", name, "--role", "worker"]).stderr)

    with at_hand(with_keys(options), PAGE):
        assert "--controller-port 2 --control-port 3 --events-in-port 4 --events-out-port 5" in told()
    with at_hand(with_keys(replace(options, ports=Ports())), PAGE):
        assert "port" not in told()


def test_where_no_session_runs_it_is_asked_whose_keys_are_meant() -> None:
    done = CliRunner().invoke(app, ["keys", "list"])
    assert isinstance(done.exception, CliError)
    assert "--processing DIR" in str(done.exception)
    assert done.exception.code == USAGE


def test_a_session_without_keys_has_none_to_list(options: SessionOptions) -> None:
    with at_hand(with_keys(replace(options, access=None)), PAGE):
        done = CliRunner().invoke(app, ["keys", "list"])
    assert isinstance(done.exception, CliError)
    assert "--insecure" in str(done.exception)


def test_a_service_says_which_one(tmp_path: Path) -> None:
    access = ("--access", str(tmp_path / "access"))
    run("add", "disc", "--role", "service", *access, code=USAGE)
    run("add", "gpu1", "--role", "worker", "--service", "api", *access, code=USAGE)


def test_a_key_tells_the_command_that_it_is_for(tmp_path: Path) -> None:
    add = ["keys", "add", "pool", "--role", "service", "--service", "pool", "--access", str(tmp_path / "access")]
    made = CliRunner().invoke(app, add)
    assert "warpcore pool run POOL.toml --scheduler HOST --key FILE" in made.stderr


def test_an_access_folder_that_others_may_enter_ends_up_as_a_fault_of_its_configuration(
    options: SessionOptions, tmp_path: Path
) -> None:
    (tmp_path / "access").mkdir(mode=0o755)
    with pytest.raises(CliError, match="chmod 700") as refused:
        up.run(replace(options, access=tmp_path / "access"), lambda: None)
    assert refused.value.code == CONFIGURATION


def test_links_lead_to_the_page_as_the_session_serves_it(session: SessionOptions) -> None:
    """By https, and under a name of its certificate; not to the loopback address of a session that is bound to all."""
    done = CliRunner().invoke(app, ["tokens", "link", "lab-b"])
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{PAGE}/#sign-in=")
    assert "--url" not in done.stderr
    local = CliRunner().invoke(app, ["tokens", "link", "lab-c", "--url", "http://127.0.0.1:1"])
    assert "opens on this host alone" in local.stderr


def test_each_service_of_a_session_gets_its_own_key_and_no_secret_on_its_command_line(session: SessionOptions) -> None:
    holders = {}
    for spec in session_services(session):
        command = spec.command(first=True)
        assert "--insecure" not in command
        if "--key" in command:
            key = read_key(Path(command[command.index("--key") + 1]))
            holders[spec.name] = key.holder.sender
            assert key.pair.secret not in " ".join(command)
    assert holders == {
        "tracker": ServiceName.TRACKER,
        "api": ServiceName.API,
        "discoverer": ServiceName.DISCOVERER,
        "worker-1": Role.WORKER,
    }


def test_an_insecure_session_has_no_keys(options: SessionOptions) -> None:
    with at_hand(with_keys(replace(options, access=None)), PAGE) as told:
        for spec in session_services(told):
            assert "--key" not in spec.arguments
            assert ("--insecure" in spec.arguments) == (spec.name in ("scheduler", "api"))
        assert operator_key(told) is None
        assert key_for(None, "127.0.0.1", 3) is None


def test_commands_and_services_find_the_keys_of_the_users_session(session: SessionOptions) -> None:
    operator = key_for(None, "127.0.0.1", PORTS.control)
    assert operator is not None
    assert operator.holder.role is Role.OPERATOR
    worker = key_for(None, "localhost", PORTS.controller, Role.WORKER)
    assert worker is not None
    assert worker.holder.role is Role.WORKER
    assert key_for(None, "127.0.0.1", 6) is None
    assert key_for(None, "other.example", PORTS.control) is None


def test_a_key_that_is_given_counts_before_that_of_the_session(session: SessionOptions, tmp_path: Path) -> None:
    path = Path(run("add", "eve", "--role", "observer", "--access", str(tmp_path / "access")).strip())
    found = key_for(path, "127.0.0.1", PORTS.control)
    assert found is not None
    assert found.holder.name == "eve"
    path.chmod(0o644)
    with pytest.raises(AccessError, match="chmod 600"):
        key_for(path, "127.0.0.1", PORTS.control)


def test_a_service_refuses_the_key_of_another_kind_of_peer(tmp_path: Path) -> None:
    path = Path(run("add", "eve", "--role", "operator", "--access", str(tmp_path / "access")).strip())
    with pytest.raises(AccessError, match=r"of operator and not of worker.*--role worker"):
        key_for(path, "127.0.0.1", PORTS.controller, Role.WORKER)
    with pytest.raises(AccessError, match="--role service --service tracker"):
        key_for(path, "127.0.0.1", PORTS.control, ServiceName.TRACKER)


def test_a_worker_goes_by_a_name_of_its_key(session: SessionOptions) -> None:
    key = key_for(None, "127.0.0.1", PORTS.controller, Role.WORKER)
    assert key is not None
    own = key.holder.name
    assert own == socket.gethostname() or own.startswith(socket.gethostname()[:5])
    assert named(f"{own}/1", key) == f"{own}/1"
    assert named("node7/cuda:0", key) == f"{own}/node7/cuda:0"
    assert named("node7/cuda:0", None) == "node7/cuda:0"


@pytest.mark.parametrize("bind", ["0.0.0.0", "10.0.0.5", "::", "*", "gpu1.example"])
def test_without_keys_only_loopback_is_bound(bind: str, tmp_path: Path) -> None:
    assert not is_loopback(bind)
    with pytest.raises(CliError, match=r"--access DIR.*--insecure") as refused:
        checked_access(None, bind, insecure=False)
    assert refused.value.code == CONFIGURATION
    assert checked_access(None, bind, insecure=True) is None
    assert checked_access(tmp_path, bind, insecure=False) == tmp_path
    for own in ("127.0.0.1", "127.0.0.9", "::1", "localhost"):
        assert checked_access(None, own, insecure=False) is None


@pytest.mark.parametrize("service", [("scheduler", "--data", "D", "--processing", "P"), ("api",)])
def test_no_service_listens_beyond_loopback_without_keys(service: tuple[str, ...], tmp_path: Path) -> None:
    """As a user starts it; it must end at once, for its configuration."""
    folders = [str(tmp_path) if one in ("D", "P") else one for one in service]
    command = [sys.executable, "-m", "warpcore.cli.main", *folders, "--bind", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == CONFIGURATION
    assert "--access DIR" in done.stderr
    assert "--insecure" in done.stderr


def test_the_own_token_goes_to_the_bound_address_alone_where_nothing_proves_the_server(
    session: SessionOptions,
) -> None:
    """By http `localhost` may be another user's program at ::1."""
    assert session.access is not None
    token = Access(session.access).operator_token
    token.touch(mode=0o600)
    token.write_text("secret")
    assert own_token("http://127.0.0.1:1", {}) == "secret"
    assert own_token("https://localhost:1", {}) == "secret"
    assert own_token("http://localhost:1", {}) is None
    assert own_token("http://[::1]:1", {}) is None
    assert own_token("https://lab.example:1", {}) is None
