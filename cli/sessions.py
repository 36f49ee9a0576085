"""`warpcore sessions`: the sessions that this user runs on this host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from warpcore.cli import options as o
from warpcore.cli import output

if TYPE_CHECKING:
    from warpcore.services.access.sessions import OwnSession


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Start here")(sessions)


def sessions(as_json: o.AsJson = False) -> None:
    """List your sessions that run on this host, oldest first. Commands take their names: --session NAME."""
    from rich.table import Table

    from warpcore.services.access.sessions import running

    found = running()
    if as_json:
        output.as_json([document(one) for one in found])
        return
    if not found:
        output.note("no session of yours runs on this host; `warpcore up` starts one")
        return
    table = Table("name", "page", "movies", "results", "ports", "keys", "process", box=None)
    for one in found:
        ports = ", ".join(str(port) for port in document(one)["ports"].values())
        keys = "yes" if one.access else "no"
        table.add_row(one.name, one.page, one.data, one.processing, ports, keys, str(one.pid))
    output.table(table)


def document(session: OwnSession) -> dict[str, Any]:
    """A session for programs. `keys` says whether it has keys and tokens; what they are is nobody's business."""
    import msgspec

    return {
        "name": session.name,
        "pid": session.pid,
        "data": session.data,
        "processing": session.processing,
        "host": session.host,
        "page": session.page,
        "ports": msgspec.structs.asdict(session.ports),
        "keys": bool(session.access),
    }
