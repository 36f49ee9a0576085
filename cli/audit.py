"""`warpcore audit`: who changed what when."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.bus.limits import PAGE
from warpcore.cli import options as o
from warpcore.cli import output, remote
from warpcore.cli.durations import seconds_in

if TYPE_CHECKING:
    from warpcore.bus.client import RequestClient
    from warpcore.bus.messages import AuditEntry


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Control")(audit)


def audit(
    by: Annotated[
        str,
        typer.Option("--by", metavar="NAME", help="Only what is of a name that holds this text.", show_default="all"),
    ] = "",
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only what was asked since then: 30m, 8h or 2d ago, or a time such as 2026-11-26T14:30.",
            show_default="all",
        ),
    ] = None,
    action: Annotated[
        str,
        typer.Option(
            "--action", metavar="TYPE", help="Only this action, such as settings.patch or settings.", show_default="all"
        ),
    ] = "",
    last: Annotated[int, typer.Option(min=1, help="Only so many entries, the last ones.")] = PAGE,
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Tell who changed what when, newest first, and what somebody had no right to."""
    begin = seconds_of(since, time.time()) if since is not None else 0.0
    with remote.client(scheduler, control_port, key) as asking:
        found = _entries(asking, last, by, action, begin)
    if as_json:
        output.as_json([one.to_body() for one in found])
        return
    for one in found:
        output.data(line(one))
    if not found:
        output.note("no entry: nobody has changed anything that was asked for")


def line(entry: AuditEntry) -> str:
    """`2026-11-26 14:30:00  ada  settings 3: ctf.cs 2.7 → 2.0`."""
    from warpcore.bus.vocabulary import AuditOutcome

    refused = f"refused {entry.action}: " if entry.outcome is AuditOutcome.REFUSED else ""
    return f"{output.local_time(entry.at)}  {who(entry)}  {refused}{entry.detail}"


def who(entry: AuditEntry) -> str:
    """Whom the entry names: who was proven, else who was typed; and by which program, where nobody was."""
    if entry.user:
        return f"{entry.user} ({entry.by})" if entry.by not in ("", entry.user) else entry.user
    return f"{entry.by} (unproven)" if entry.by else f"nobody known ({entry.via})"


def seconds_of(text: str, now: float) -> float:
    """The moment (seconds since the epoch) that a text means at the time `now`. Raises BadParameter."""
    ago_s = seconds_in(text)
    if ago_s is not None:
        return now - ago_s
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text[:100]!r} is no time; give 30m, 8h, 2d, or one such as 2026-11-26T14:30", param_hint="--since"
        ) from None


def _entries(asking: RequestClient, last: int, by: str, action: str, since: float) -> list[AuditEntry]:
    """The last entries, page by page."""
    from warpcore.bus.limits import LARGEST_PAGE
    from warpcore.bus.messages import Audit, GetAudit

    found: list[AuditEntry] = []
    before: int | None = None
    while len(found) < last:
        page = remote.ask(asking, GetAudit(before, min(last - len(found), LARGEST_PAGE), by, action, since), Audit)
        found += page.entries
        before = page.next_before
        if before is None:
            break
    return found
