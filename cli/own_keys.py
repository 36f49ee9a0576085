"""The keys of a session that `up` runs, and how commands of the same user find them."""

from __future__ import annotations

import getpass
import ipaddress
import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from warpcore.bus.vocabulary import Role, ServiceName
from warpcore.cli import output
from warpcore.cli.errors import CONFIGURATION, CliError
from warpcore.cli.plan import SessionOptions, own_host

if TYPE_CHECKING:
    from warpcore.bus.keys import ClientKey
    from warpcore.services.access.sessions import OwnSession

LONGEST_NAME = 50


def key_for(given: Path | None, host: str, port: int, sender: Role | ServiceName = Role.OPERATOR) -> ClientKey | None:
    """The key to connect with, from `key_file_for`. Raises AccessError, also for a service with another's key."""
    from warpcore.services.access.keys import read_key
    from warpcore.services.access.private import AccessError

    file = key_file_for(given, host, port, sender)
    if file is None:
        return None
    key = read_key(file)
    if sender is not Role.OPERATOR and key.holder.sender != sender:
        raise AccessError(f"{file} is a key of {key.holder.sender} and not of {sender}; {how_to_make(sender)}")
    return key


def how_to_make(sender: Role | ServiceName) -> str:
    """Which command makes a key of this kind."""
    role = f"{Role.SERVICE} --service {sender}" if isinstance(sender, ServiceName) else sender
    return f"`warpcore keys add NAME --role {role}` makes one"


def key_file_for(given: Path | None, host: str, port: int, sender: Role | ServiceName) -> Path | None:
    """The key file that was given, else that of this user's session at the port; None without either."""
    from warpcore.services.access.sessions import session_at

    if given is not None:
        return given
    session = session_at(host, port)
    return Path(session.keys[sender]) if session is not None and sender in session.keys else None


def checked_access(access: Path | None, bind: str, *, insecure: bool) -> Path | None:
    """The access directory to use, None without keys. Raises CliError where other hosts could connect without."""
    if insecure:
        return None
    if access is None and not is_loopback(bind):
        raise CliError(
            f"--bind {bind} would let any host that reaches this one command the session; give --access DIR "
            "(`warpcore keys init` makes it), or say --insecure",
            CONFIGURATION,
        )
    return access.absolute() if access is not None else None


def is_loopback(bind: str) -> bool:
    """Whether only this host reaches what is bound there."""
    try:
        return bind == "localhost" or ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return False


def with_keys(options: SessionOptions) -> SessionOptions:
    """The options with a key of its own for each service, made where it is missing; none in a session without keys.

    Raises AccessError.
    """
    from warpcore.bus.keys import Holder
    from warpcore.services.access.keys import own
    from warpcore.services.access.places import Access

    if options.access is None:
        return options
    access = Access(options.access)
    keys = {str(name): own(access, Holder(str(name), Role.SERVICE, name)) for name in ServiceName}
    keys[Role.WORKER] = own(access, Holder(as_name(socket.gethostname()), Role.WORKER))
    keys[Role.OPERATOR] = own(access, Holder(as_name(_user()), Role.OPERATOR))
    return replace(options, keys=keys)


def operator_key(options: SessionOptions) -> ClientKey | None:
    """The key of the user who runs the session, None in one without keys. Raises AccessError."""
    from warpcore.services.access.keys import read_key

    return read_key(options.keys[Role.OPERATOR]) if Role.OPERATOR in options.keys else None


@contextmanager
def at_hand(options: SessionOptions, page: str) -> Iterator[SessionOptions]:
    """Within, this user's commands find the session and its page. Yields the options with key files of this host."""
    from warpcore.services.access.private import AccessError
    from warpcore.services.access.sessions import told

    with ExitStack() as stack:
        try:
            keys = stack.enter_context(told(_own_session(options, page))).keys
            options = replace(options, keys={name: Path(file) for name, file in keys.items()})
        except (AccessError, OSError) as error:
            output.note(f"commands of this user do not find this session by themselves, and need --key FILE: {error}")
        yield options


def _own_session(options: SessionOptions, page: str) -> OwnSession:
    from warpcore.services.access.places import Access
    from warpcore.services.access.sessions import OwnSession, SessionPorts, own_instance

    return OwnSession(
        name=options.name or as_name(options.processing.name),
        instance=own_instance(),
        processing=str(options.processing),
        data=str(options.data),
        host=own_host(options.bind),
        ports=SessionPorts(**asdict(options.ports)),
        access=str(options.access or ""),
        keys={name: str(file) for name, file in options.keys.items()},
        token=str(Access(options.access).operator_token) if options.access is not None else "",
        page=page,
    )


def page_of(options: SessionOptions) -> str:
    """The address of the session's page for this host."""
    from warpcore.services.api.http.certificates import read_certificate
    from warpcore.services.api.service import url

    return url(options.bind, options.ports.rest, read_certificate(options.http.certificate, options.http.key))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return f"user-{os.geteuid()}"


def as_name(text: str) -> str:
    """A name that a key or a session can have."""
    return re.sub(r"[^A-Za-z0-9._@-]", "-", text).lstrip("._@-")[:LONGEST_NAME] or "own"
