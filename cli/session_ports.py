"""The ports and the name of a session that is being started: free ones, where the user has said none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, replace

import msgspec

from warpcore.cli import output, preflight
from warpcore.cli.errors import CliError
from warpcore.cli.own_keys import as_name
from warpcore.cli.plan import Ports, SessionOptions

MOST_BLOCKS = 100
_BLOCK = 5


def port_block(number: int, first: int | None) -> Ports:
    """The ports of the n-th session, from 0: 5000 and 8080 to 8083, then 5001 and 8084 to 8087, and so on.

    With `first` they are five in a row: `first` is the page's of session 0.
    """
    if first is None:
        start = 8080 + 4 * number
        return Ports(5000 + number, start, start + 1, start + 2, start + 3)
    start = first + _BLOCK * number
    return Ports(start, start + 1, start + 2, start + 3, start + 4)


def choose_ports(named: Mapping[str, int], first: int | None, is_free: Callable[[int], bool]) -> Ports | None:
    """The named ports (by field), and for all others those of the first block in which all of these are free.

    So a session's ports lie together, and a site can open them beforehand. None where all blocks are in use.
    """
    for number in range(MOST_BLOCKS):
        block = asdict(port_block(number, first))
        others = [port for field, port in block.items() if field not in named]
        if all(port <= 65535 and port not in named.values() and is_free(port) for port in others):
            return Ports(**{**block, **named})
    return None


def told_ports(ports: Ports, usual: Ports, named: Collection[str]) -> str:
    """The line that says why a session has other ports than the usual ones; empty where it has these."""
    if all(port == asdict(usual)[field] for field, port in asdict(ports).items() if field not in named):
        return ""
    taken = ", ".join(str(port) for field, port in asdict(usual).items() if field not in named)
    words = {"rest": "page", "controller": "workers", "control": "commands", "events_in": "events in"}
    given = ", ".join(f"{port} ({words.get(field, 'events out')})" for field, port in asdict(ports).items())
    return f"not all of the usual ports {taken} are free: this session has {given}"


def unused_name(wanted: str, others: Collection[str]) -> str:
    """The wanted name, or with the first number that makes it another one than those of running sessions."""
    names = [wanted, *(f"{wanted}-{number}" for number in range(2, len(others) + 2))]
    return next(name for name in names if name not in others)


def placed(options: SessionOptions, named: Collection[str], first: int | None, name: str | None) -> SessionOptions:
    """The options with ports and a name that no running session of this user has; says where ports are not the usual.

    `named` are the fields of the ports that the user has said, `first` is the port from which the others are taken.
    Where none are free they stay. Raises CliError for a name in use.
    """
    from warpcore.services.access.sessions import running

    others = running()
    own = as_name(options.processing.name)
    if name is not None and any(one.name == name for one in others):
        raise CliError(f"--name {name}: a session of yours with this name runs already; give another one")
    held = {port for one in others for port in msgspec.structs.astuple(one.ports)}
    said = {field: port for field, port in asdict(options.ports).items() if field in named}

    def is_free(port: int) -> bool:
        return port not in held and preflight.is_free(options.bind, port)

    usual = Ports(**{**asdict(port_block(0, first)), **said})
    ports = choose_ports(said, first, is_free) or usual
    if text := told_ports(ports, usual, named):
        output.note(text)
    return replace(options, ports=ports, name=name or unused_name(own, [one.name for one in others]))
