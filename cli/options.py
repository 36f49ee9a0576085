"""Options that several commands share; each can be given as an environment variable too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from warpcore.bus.endpoints import Endpoints

_PORTS = "Ports"
_DEFAULTS = Endpoints()


def _port(flag: str, variable: str, text: str, lowest: int = 1) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, envvar=variable, help=text, min=lowest, max=65535, rich_help_panel=_PORTS
    )
    return option


SchedulerHost = Annotated[
    str, typer.Option("--scheduler", metavar="HOST", envvar="WARPCORE_SCHEDULER", help="Host of the scheduler.")
]
ControllerPort = Annotated[
    int, _port("--controller-port", "WARPCORE_CONTROLLER_PORT", "Where workers connect: the one port they need.")
]
ControlPort = Annotated[int, _port("--control-port", "WARPCORE_CONTROL_PORT", "Where services and clients ask.")]
EventsInPort = Annotated[int, _port("--events-in-port", "WARPCORE_EVENTS_IN_PORT", "Where services publish events.")]
EventsOutPort = Annotated[int, _port("--events-out-port", "WARPCORE_EVENTS_OUT_PORT", "Where events are heard.")]
Port = Annotated[int, _port("--port", "WARPCORE_PORT", "REST API.")]
Bind = Annotated[
    str,
    typer.Option(
        "--bind",
        metavar="ADDRESS",
        envvar="WARPCORE_BIND",
        help="Address of this host to listen at; 0.0.0.0 lets other hosts in.",
    ),
]
Data = Annotated[
    Path, typer.Option("--data", envvar="WARPCORE_DATA", help="Where the movies appear. Only read.", show_default=False)
]
Processing = Annotated[
    Path, typer.Option("--processing", envvar="WARPCORE_PROCESSING", help="Where results go.", show_default=False)
]
State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        envvar="WARPCORE_STATE",
        help="The scheduler's database; give a local path where the processing directory is on NFS.",
        show_default="<processing>/.warpcore/state.db",
    ),
]
Watch = Annotated[
    bool,
    typer.Option(
        "--watch/--no-watch", envvar="WARPCORE_WATCH", help="Also listen to the file system between two scans."
    ),
]
Incubation = Annotated[
    float,
    typer.Option(
        "--incubation",
        min=0.0,
        metavar="SECONDS",
        envvar="WARPCORE_INCUBATION",
        help="Size and time must stand still this long before a file counts as whole.",
    ),
]
GiveUp = Annotated[
    float,
    typer.Option(
        "--give-up",
        metavar="SECONDS",
        min=0.1,
        envvar="WARPCORE_GIVE_UP",
        help="A stable file that is still not whole is registered after this time, to fail with its reason.",
    ),
]
ScanInterval = Annotated[
    float,
    typer.Option(
        "--scan-interval",
        min=0.05,
        metavar="SECONDS",
        envvar="WARPCORE_SCAN_INTERVAL",
        help="Time between two scans of the data directory.",
    ),
]
HeartbeatTimeout = Annotated[
    float,
    typer.Option(
        "--heartbeat-timeout",
        min=1.0,
        metavar="SECONDS",
        envvar="WARPCORE_HEARTBEAT_TIMEOUT",
        help="A worker silent for longer is lost.",
    ),
]
TaskTimeout = Annotated[
    float,
    typer.Option(
        "--task-timeout",
        min=1.0,
        metavar="SECONDS",
        envvar="WARPCORE_TASK_TIMEOUT",
        help="A movie without progress for longer is given to another worker.",
    ),
]
Paused = Annotated[
    bool | None,
    typer.Option(
        "--paused/--processing-on",
        help="Start paused, or processing, whatever it was before.",
        show_default="as it was; processing at first",
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="JSON file of settings; what it does not name has its default."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.NAME=VALUE", help="One setting, for example ctf.voltage=200; repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]
Device = Annotated[
    str, typer.Option("--device", envvar="WARPCORE_DEVICE", help="auto, cpu, cuda or cuda:N.", metavar="DEVICE")
]
