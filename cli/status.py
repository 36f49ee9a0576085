"""`warpcore status`: the state of a session, once or live."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.bus.endpoints import Endpoints
from warpcore.cli import options as o
from warpcore.cli import output, remote

if TYPE_CHECKING:
    from warpcore.bus.client import RequestClient

INTERVAL_S = 1.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Control")(status)


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it until Ctrl-C.")] = False,
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Show progress and rate of processing, and what each worker does."""
    from warpcore.cli import overview

    with remote.client(scheduler, control_port, key) as asking:
        if watch:
            _watch(asking, as_json, Endpoints(scheduler, control_port=control_port).control)
            return
        seen = overview.look(asking)
    if as_json:
        output.as_json(seen.to_dict())
    else:
        for line in overview.lines(seen):
            output.data(line)


def _watch(asking: RequestClient, as_json: bool, endpoint: str) -> None:
    """A display on a terminal; elsewhere, or as JSON, a line whenever something has changed."""
    from rich.console import Console

    from warpcore.cli.signals import stop_event

    stop = stop_event()
    console = Console()
    if as_json or not console.is_terminal:
        _print_changes(asking, as_json, stop)
        return
    from warpcore.bus.client import NoAnswerError
    from warpcore.cli import overview
    from warpcore.cli.display import live, rendered

    asking.timeout_s, asking.attempts = INTERVAL_S, 1
    with live(console) as display:
        seen = None
        while not stop.is_set():
            note = ""
            try:
                seen = overview.look(asking)
            except NoAnswerError:
                note = f"{endpoint} does not answer; asking again"
            display.update(rendered(seen, note))
            stop.wait(INTERVAL_S)


def _print_changes(asking: RequestClient, as_json: bool, stop: Event) -> None:
    from warpcore.cli import overview

    last: str | None = None
    while not stop.is_set():
        seen = overview.look(asking)
        told = "\n".join(overview.lines(seen))
        if told != last:
            last = told
            if as_json:
                output.json_line(seen.to_dict())
            else:
                output.data_line(told)
        stop.wait(INTERVAL_S)
