"""Which schedulers a worker serves, from its options."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.bus.endpoints import Endpoints
from warpcore.bus.vocabulary import Role
from warpcore.cli.errors import USAGE, CliError
from warpcore.cli.own_keys import key_for
from warpcore.cli.session_option import Asked, Given, chosen, how_given

if TYPE_CHECKING:
    from warpcore.services.worker.service import Served

Schedulers = Annotated[
    list[str] | None,
    typer.Option(
        "--scheduler",
        metavar="HOST[:PORT]",
        envvar="WARPCORE_SCHEDULER",
        help="Host of the scheduler. Give it once for each session that this worker serves; without a port it is "
        "--controller-port.",
        show_default="127.0.0.1",
    ),
]
Keys = Annotated[
    list[Path] | None,
    typer.Option(
        "--key",
        metavar="FILE",
        envvar="WARPCORE_KEY",
        help="Key file that `warpcore keys add` has made for this worker: one for each --scheduler, in the same order.",
        show_default="those of your own sessions on this host",
    ),
]
Sessions = Annotated[
    list[str] | None,
    typer.Option(
        "--session",
        metavar="NAME",
        envvar="WARPCORE_SESSION",
        help="The session of yours on this host with this name or processing directory. Give it as often as needed.",
        show_default="the only one that runs",
    ),
]
_ADDRESS = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")


def address(text: str, usual_port: int) -> tuple[str, int]:
    """Host and port of `host`, `host:8080`, `[::1]:8080` or `::1`. Raises a usage error."""
    found = _ADDRESS.fullmatch(text)
    if found is None and text.count(":") > 1 and re.fullmatch(r"[0-9A-Fa-f:.%]+", text):
        return text, usual_port
    port = int(found["port"] or usual_port) if found is not None else 0
    if found is None or not 0 < port <= 65535:
        raise CliError(f"--scheduler {text}: give HOST or HOST:PORT, an IPv6 address with a port as [::1]:8080", USAGE)
    return found["v6"] or found["host"], port


def with_keys(addresses: Sequence[tuple[str, int]], keys: Sequence[Path]) -> list[Served]:
    """The schedulers at these addresses, each with its key. Raises CliError, AccessError."""
    from warpcore.services.worker.service import Served

    twice = [f"{host}:{port}" for (host, port), count in Counter(addresses).items() if count > 1]
    if twice:
        raise CliError(f"--scheduler {twice[0]} is given twice; a worker serves each session once", USAGE)
    if keys and len(keys) != len(addresses):
        raise CliError(
            f"{len(addresses)} schedulers and {len(keys)} keys are given; give --key once for each, in the same order",
            USAGE,
        )
    files = [*keys] if keys else [None] * len(addresses)
    return [
        Served(Endpoints(host, port), key_for(file, host, port, Role.WORKER))
        for (host, port), file in zip(addresses, files, strict=True)
    ]


def schedulers_of(
    context: typer.Context, sessions: list[str] | None, schedulers: list[str] | None, port: int, keys: list[Path] | None
) -> list[Served]:
    """What a worker with these options serves. Raises CliError, AccessError."""
    from warpcore.services.access.sessions import running

    places = max(how_given(context, name) for name in ("scheduler", "controller_port", "key"))
    given = how_given(context, "session")
    asked = [Asked(text, given, places) for text in sessions or []] or [Asked(None, Given.NOT, places)]
    own, found = running(), []
    for one in asked:
        session = chosen(one, own, alone=True)
        if session is not None:
            found.append((session.host, session.ports.controller))
    return with_keys(found or [address(text, port) for text in schedulers or ["127.0.0.1"]], keys or [])
