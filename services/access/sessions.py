"""The sessions that this user runs on this host: so commands find ports, key and token by themselves."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec
import platformdirs
from msgspec.structs import replace

from warpcore.services.access.private import AccessError, check_folder, make_private, read_private, write_private
from warpcore.services.process.instances import has_ended, new_instance

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
TURN_PATIENCE_S = 10.0
"""How long a session that is being started waits for another one that is; it takes a second or two."""


class SessionPorts(msgspec.Struct, frozen=True):
    """The five ports of a session."""

    rest: int
    controller: int
    control: int
    events_in: int
    events_out: int


class OwnSession(msgspec.Struct, frozen=True):
    """A running `warpcore up`: `instance` names its process with its start time, `host` is where this host reaches it.

    `page` is the page's address for browsers, `access` the access directory, `keys` are key files by role or service,
    `token` is the operator's token file; they are empty where a session has none.
    """

    name: str
    instance: str
    processing: str
    data: str
    host: str
    ports: SessionPorts
    access: str = ""
    keys: dict[str, str] = {}
    token: str = ""
    page: str = ""

    @property
    def pid(self) -> int:
        """The process id of `warpcore up`."""
        return int(self.instance.split("/")[2])


def folder() -> Path:
    """Where the files lie, one a session: a folder of mode 0700 in this user's runtime directory.

    Where there is none, as in jobs of a cluster and after `su`, it is in their home, by host, since hosts may share
    that: a folder in /tmp is one that another user may make before, under the name that it would have.
    """
    for runtime in (os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.geteuid()}"):
        with suppress(AccessError, OSError):
            check_folder(Path(runtime))
            if os.path.isabs(runtime):
                return Path(runtime) / "warpcore" / "sessions"
    return platformdirs.user_cache_path("warpcore") / "run" / os.uname().nodename / "sessions"


def running() -> list[OwnSession]:
    """The sessions that run, oldest first. What those that have ended left is removed; what is unreadable is passed by.

    Where the folder is not this user's alone nothing in it counts.
    """
    found = []
    for path in _files():
        with suppress(AccessError, OSError, msgspec.MsgspecError):
            session = msgspec.json.decode(read_private(path), type=OwnSession)
            if has_ended(session.instance):
                _remove(path)
            else:
                found.append((path.stat().st_mtime_ns, session))
    return [session for _, session in sorted(found, key=lambda one: one[0])]


def session_at(host: str, port: int) -> OwnSession | None:
    """This user's session that listens at this port of this host, None where there is none."""
    for session in running():
        if port in msgspec.structs.astuple(session.ports) and (host in LOOPBACK or host == session.host):
            return session
    return None


def session_with(access: Path) -> OwnSession | None:
    """This user's newest session with this access directory, None where none runs."""
    found = [session for session in running() if session.access == str(access)]
    return found[-1] if found else None


def sessions_called(text: str, sessions: list[OwnSession]) -> list[OwnSession]:
    """Those of the sessions that have this name; where none has, those with this processing directory."""
    named = [session for session in sessions if session.name == text]
    return named or [session for session in sessions if Path(session.processing).resolve() == Path(text).resolve()]


@contextmanager
def own_turn() -> Iterator[ExitStack]:
    """Within, or until the stack is closed, no other session of this user is started, so that none takes its ports.

    One that hangs while it starts is not waited for; where the folder cannot be used, nobody is.
    """
    with ExitStack() as stack:
        with suppress(AccessError, OSError):
            handle = os.open(make_private(folder()), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            stack.callback(os.close, handle)
            _lock(handle, time.monotonic() + TURN_PATIENCE_S)
        yield stack


def _lock(handle: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)
        else:
            return


@contextmanager
def told(session: OwnSession) -> Iterator[OwnSession]:
    """Within, this user's commands find the session. Yields it with copies of its keys that lie on this host.

    So commands and services begin also while the disk of the originals is away. Raises AccessError and OSError where
    the folder cannot be used.
    """
    path = make_private(folder()) / f"{os.getpid()}.json"
    _remove(path)
    beside = make_private(path.with_suffix(""))
    try:
        copies = {name: str(beside / Path(file).name) for name, file in session.keys.items()}
        for name, file in session.keys.items():
            write_private(Path(copies[name]), read_private(Path(file)))
        session = replace(session, keys=copies)
        write_private(path, msgspec.json.encode(session).decode())
        yield session
    finally:
        _remove(path)


def own_instance() -> str:
    """This process, as `OwnSession.instance` names it."""
    return new_instance(os.getpid())


def _files() -> list[Path]:
    try:
        check_folder(folder())
        return list(folder().glob("*.json"))
    except (AccessError, OSError):
        return []


def _remove(path: Path) -> None:
    """What was told of a session, with the copies beside it."""
    path.unlink(missing_ok=True)
    shutil.rmtree(path.with_suffix(""), ignore_errors=True)
