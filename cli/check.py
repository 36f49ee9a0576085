"""`warpcore check`: what is right and wrong on this host, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from warpcore.bus.endpoints import Endpoints
from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli.errors import ERROR
from warpcore.cli.session_option import needs_no_session

if TYPE_CHECKING:
    from warpcore.cli.host.facts import HostFacts
    from warpcore.cli.host.verdict import Verdict

LOCAL = "127.0.0.1"

CheckedData = Annotated[
    Path | None,
    typer.Option("--data", envvar="WARPCORE_DATA", help="The session's data directory.", show_default=False),
]
CheckedProcessing = Annotated[
    Path | None,
    typer.Option(
        "--processing", envvar="WARPCORE_PROCESSING", help="The session's processing directory.", show_default=False
    ),
]
WithJax = Annotated[bool, typer.Option("--jax/--no-jax", help="Also start JAX, which takes some seconds.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Start here")(check)


@needs_no_session
def check(
    data: CheckedData = None,
    processing: CheckedProcessing = None,
    state: o.State = None,
    scheduler: o.SchedulerHost = LOCAL,
    bind: o.Bind = LOCAL,
    port: o.Port = 5000,
    controller_port: o.ControllerPort = 8080,
    control_port: o.ControlPort = 8081,
    events_in_port: o.EventsInPort = 8082,
    events_out_port: o.EventsOutPort = 8083,
    key: o.Key = None,
    with_jax: WithJax = True,
    as_json: o.AsJson = False,
) -> None:
    """Tell what is right and wrong on this host, each with what to do; ends in 1 where something is wrong.

    It reads the same variables as the services do, so `set -a; . /etc/warpcore/warpcore.env; warpcore check` looks at
    what they would use. In the processing directory it writes a few files and deletes them again.
    """
    from warpcore.cli.host.verdicts import all_verdicts, has_fault

    endpoints = Endpoints(scheduler, controller_port, control_port, events_in_port, events_out_port, bind)
    verdicts = all_verdicts(_facts(endpoints, port, data, processing, state, key, with_jax=with_jax))
    if as_json:
        output.as_json({"good": not has_fault(verdicts), "checks": [msgspec.to_builtins(one) for one in verdicts]})
    else:
        output.rows(["", "what", "found; what to do"], [_line(one) for one in verdicts])
    if has_fault(verdicts):
        raise typer.Exit(ERROR)


def _facts(
    endpoints: Endpoints,
    rest_port: int,
    data: Path | None,
    processing: Path | None,
    state: Path | None,
    key: Path | None,
    *,
    with_jax: bool,
) -> HostFacts:
    from warpcore.cli.host import looking
    from warpcore.cli.host.asking import ask_scheduler
    from warpcore.cli.host.facts import HostFacts
    from warpcore.cli.host.looking_at_folders import data_folder, processing_folder
    from warpcore.cli.plan import Ports
    from warpcore.services.scheduler.shell.lock import state_file
    from warpcore.services.storage.mounts import database_advice

    ports = Ports(
        rest_port,
        endpoints.controller_port,
        endpoints.control_port,
        endpoints.events_in_port,
        endpoints.events_out_port,
    )
    is_elsewhere = endpoints.host not in ("localhost", LOCAL)
    found, ahead_s, uncertain_s = ask_scheduler(endpoints, key, is_expected=is_elsewhere)
    return HostFacts(
        software=looking.software(),
        gpus=looking.gpus(with_jax=with_jax),
        # Those of a scheduler elsewhere are not bound here.
        ports=None if is_elsewhere else looking.ports(endpoints.bind, ports.by_option()),
        clock=looking.clock(ahead_s, uncertain_s),
        limits=looking.limits(),
        scheduler=found,
        data=None if data is None else data_folder(data),
        processing=None if processing is None else processing_folder(processing),
        state_advice="" if processing is None else database_advice(state_file(processing, state)),
        packages=looking.packages(),
    )


def _line(one: Verdict) -> list[str]:
    return [str(one.judgement), one.subject, f"{one.found}; {one.advice}" if one.advice else one.found]
