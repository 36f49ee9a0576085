"""`warpcore alarms`: what a person should look at now, and that it was seen."""

from __future__ import annotations

from typing import Annotated

import typer

from warpcore.cli import options as o
from warpcore.cli import output, remote


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Control")(alarms)


def alarms(
    acknowledge: Annotated[
        list[str] | None, typer.Option("--acknowledge", metavar="ID", help="Note that you have seen this alarm.")
    ] = None,
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Show what to look at now, critical alarms first: since when, what is wrong, and the id."""
    from warpcore.bus.messages import AcknowledgeAlarm, Alarms, GetAlarms

    with remote.client(scheduler, control_port, key) as asking:
        for id in acknowledge or []:
            remote.ask(asking, AcknowledgeAlarm(id), Alarms)
        held = remote.ask(asking, GetAlarms(), Alarms).alarms
    if as_json:
        output.as_json([alarm.to_body() for alarm in held])
        return
    for alarm in held:
        seen = " (acknowledged)" if alarm.acknowledged else ""
        output.data(f"{alarm.severity} since {output.local_time(alarm.since)}: {alarm.text}{seen} [{alarm.id}]")
