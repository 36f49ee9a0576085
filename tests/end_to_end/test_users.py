"""Two users of one host, each with a session: neither sees the other's files, sockets, tokens, or sessions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest
from users_for_tests import as_user, why_not

ADA, BOB = 60001, 60002
WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]
READS = """
import os, sys
for path in sys.argv[1:]:
    for look in (os.listdir, lambda path: open(path, "rb").read(1), lambda path: open(path, "ab")):
        try:
            print("opened", path, look(path))
        except PermissionError:
            print("closed")
        except (NotADirectoryError, IsADirectoryError, FileNotFoundError):
            pass
"""


class User:
    """A user with a home, a runtime directory, and a session that `begin` starts."""

    def __init__(self, user: int, folder: Path, ports: list[int]) -> None:
        self.user, self.home, self.ports = user, folder / f"user{user}", ports
        (folder / f"kept{user}").mkdir()
        self._before = as_user(user, folder / f"kept{user}")
        self.data, self.processing, self.runtime = (self.home / name for name in ("data", "processing", "run"))
        for made in (self.home, self.data, self.processing, self.runtime):
            made.mkdir()
            os.chown(made, user, user)
        self.runtime.chmod(0o700)
        self.log = folder / f"{user}.log"

    def command(self, *words: str) -> subprocess.Popen[str]:
        """A command of this user, in whose environment nothing of ours is."""
        environment = {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.runtime), "PATH": os.environ["PATH"]}
        with self.log.open("a") as log:
            return subprocess.Popen(
                [*self._before, *words],
                stdout=log if "up" in words else subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                text=True,
                umask=0o022,
            )

    def tells(self, *words: str) -> str:
        """What a command prints."""
        told, _ = self.command(*words).communicate(timeout=60)
        return told

    def begin(self) -> subprocess.Popen[str]:
        """Start a session without workers."""
        names = ("--port", "--controller-port", "--control-port", "--events-in-port", "--events-out-port")
        ports = [text for name, port in zip(names, self.ports, strict=True) for text in (name, str(port))]
        folders = ("--data", str(self.data), "--processing", str(self.processing))
        return self.command(*WARPCORE, "up", *folders, "--workers", "0", *ports)

    def answers(self) -> bool:
        """Whether the session's REST can be reached; it tells nothing without a token."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[0]}/api/health", timeout=60).status_code == 401
        except httpx.TransportError:
            return False


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter: that of the tests is root's alone."""
    made = Path(tempfile.mkdtemp(prefix="warpcore-users-"))
    made.chmod(0o755)
    try:
        (made / "probe").mkdir()
        if reason := why_not(ADA, made / "probe"):
            pytest.skip(reason)
        yield made
    finally:
        shutil.rmtree(made)


@pytest.mark.slow
def test_two_users_of_a_host_see_nothing_of_each_other(
    folder: Path, free_ports: Callable[[int], list[int]], wait_until: Callable[..., None]
) -> None:
    ports = free_ports(10)
    ada, bob = User(ADA, folder, ports[:5]), User(BOB, folder, ports[5:])
    with ExitStack() as ended:
        for user in (ada, bob):
            ended.callback(_end, user.begin())
        for user in (ada, bob):
            told = f"a session of {user.user}"
            wait_until(lambda user=user: user.answers() and "REST at" in user.log.read_text(), 60, told)
        _sees_only_its_own_session(ada, bob)
        _reads_no_secret(ada, bob)
        _is_not_let_in(ada, bob)


def _sees_only_its_own_session(ada: User, bob: User) -> None:
    told = bob.tells(*WARPCORE, "sessions")
    assert str(bob.processing) in told
    assert str(ada.processing) not in told
    assert str(ada.ports[0]) not in told
    refused = bob.tells(*WARPCORE, "status", "--session", str(ada.processing)).splitlines()
    assert len(refused) == 1
    assert refused[0].startswith(f"warpcore: none of your sessions is called {ada.processing}")


def _reads_no_secret(ada: User, bob: User) -> None:
    """Of what lies in Ada's access and runtime directories; and nothing of hers can be written."""
    access = ada.processing / ".warpcore/access"
    secret = [access, ada.runtime, *access.rglob("*"), *ada.runtime.rglob("*")]
    assert {"server.toml", "tokens.db", "known.toml"} <= {path.name for path in secret}
    looked = bob.tells(sys.executable, "-c", READS, *map(str, secret))
    assert set(looked.splitlines()) == {"closed"}
    everything = [str(path) for path in (ada.processing, *ada.processing.rglob("*"))]
    wrote = bob.tells(
        sys.executable, "-c", "import os, sys; print([p for p in sys.argv[1:] if os.access(p, os.W_OK)])", *everything
    )
    assert wrote == "[]\n"


def _is_not_let_in(ada: User, bob: User) -> None:
    """Neither at REST with the token of his own session, nor by ZeroMQ with its keys, nor without any."""
    own = (bob.processing / ".warpcore/access/operator.token").read_text().strip()
    for headers in ({}, {"Authorization": f"Bearer {own}"}):
        assert httpx.get(f"http://127.0.0.1:{ada.ports[0]}/api/items", headers=headers, timeout=60).status_code == 401
    keys = (bob.processing / ".warpcore/access/keys").iterdir()
    key = next(path for path in keys if 'role = "operator"' in path.read_text())
    for options in ((), ("--key", str(key))):
        told = bob.tells(*WARPCORE, "pause", "--control-port", str(ada.ports[2]), *options)
        assert len(told.splitlines()) == 1
        assert "key" in told
    assert "pause" not in ada.tells(*WARPCORE, "audit", "--session", str(ada.processing))


def _end(session: subprocess.Popen[str]) -> None:
    children = psutil.Process(session.pid).children(recursive=True)
    session.terminate()
    try:
        session.wait(20)
    finally:
        for child in psutil.wait_procs(children, timeout=5)[1]:
            child.kill()
            child.wait(5)
