"""Options that several commands share. Most can be given as an environment variable too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.services.process.logs import LogFormat

if TYPE_CHECKING:
    from warpcore.services.session.path_map import PathMap

_PORTS = "Ports"


def _port(flag: str, variable: str, text: str, lowest: int = 1) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, envvar=variable, help=text, min=lowest, max=65535, rich_help_panel=_PORTS
    )
    return option


SchedulerHost = Annotated[
    str, typer.Option("--scheduler", metavar="HOST", envvar="WARPCORE_SCHEDULER", help="Host of the scheduler.")
]
ControllerPort = Annotated[
    int, _port("--controller-port", "WARPCORE_CONTROLLER_PORT", "Port for workers, the only one that they need.")
]
ControlPort = Annotated[
    int, _port("--control-port", "WARPCORE_CONTROL_PORT", "Port for requests of services and commands.")
]
EventsInPort = Annotated[
    int, _port("--events-in-port", "WARPCORE_EVENTS_IN_PORT", "Port at which services publish events.")
]
EventsOutPort = Annotated[
    int, _port("--events-out-port", "WARPCORE_EVENTS_OUT_PORT", "Port at which events are received.")
]
Port = Annotated[int, _port("--port", "WARPCORE_PORT", "Port of the REST API.")]
Bind = Annotated[
    str,
    typer.Option(
        "--bind",
        metavar="ADDRESS",
        envvar="WARPCORE_BIND",
        help="Address of this host to listen at. 0.0.0.0 lets any host connect that reaches this one.",
    ),
]
Key = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        envvar="WARPCORE_KEY",
        help="Key file that `warpcore keys add` has made for this peer.",
        show_default="that of your own session on this host",
    ),
]
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="WARPCORE_DATA",
        help="Directory in which the movies appear. Nothing is written there.",
        show_default=False,
    ),
]
Processing = Annotated[
    Path, typer.Option("--processing", envvar="WARPCORE_PROCESSING", help="Directory for results.", show_default=False)
]


TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        envvar="WARPCORE_TOKEN_FILE",
        help="File of mode 0600 with the token for REST. Without one: WARPCORE_TOKEN, or your own session's token.",
        show_default=False,
    ),
]
References = Annotated[
    list[Path] | None,
    typer.Option(
        "--references",
        metavar="FOLDER",
        envvar="WARPCORE_REFERENCES",
        help="A folder in which gains, defects, templates and weights may lie, beside the data and processing "
        "directories and the folders of files that are named when the session is started. Give it as often as needed.",
        show_default="none",
    ),
]
FollowLinks = Annotated[
    bool,
    typer.Option(
        "--follow-links",
        envvar="WARPCORE_FOLLOW_LINKS",
        help="Also take movies that are links out of the data directory.",
    ),
]

GroupWritable = Annotated[
    bool,
    typer.Option(
        "--group-writable",
        envvar="WARPCORE_GROUP_WRITABLE",
        help="Let the group of the processing directory change what is written there; else the umask says.",
    ),
]


def notify(default: str = "") -> typer.models.OptionInfo:
    """The option that names the notifier's file."""
    option: typer.models.OptionInfo = typer.Option(
        "--notify",
        metavar="FILE",
        envvar="WARPCORE_NOTIFY",
        help=f"TOML file that says where alarms are sent, by webhook or e-mail (docs/alarms.md).{default}",
    )
    return option


def _path_map(given: list[Path] | None) -> list[Path]:
    """Raises a usage error for a map that cannot be used."""
    from warpcore.services.session.path_map import PathMapError

    try:
        path_map(given)
    except PathMapError as error:
        raise typer.BadParameter(str(error)) from None
    return given or []


def path_map(given: list[Path] | None) -> PathMap:
    """The map that the options make. Raises PathMapError."""
    from warpcore.services.session.path_map import PathMap

    return PathMap.of(map(str, given or []))


# As paths, several in the environment are separated by colons.
PathMaps = Annotated[
    list[Path] | None,
    typer.Option(
        "--path-map",
        metavar="/THERE=/HERE",
        envvar="WARPCORE_PATH_MAP",
        callback=_path_map,
        help="A folder as the scheduler's host sees it, and where this host does; several times for several folders.",
        show_default="none",
    ),
]
Notify = Annotated[Path | None, notify(" Without one, none are.")]
Pools = Annotated[
    list[Path] | None,
    typer.Option(
        "--pool",
        metavar="FILE",
        help="TOML file of a pool of workers on a batch system (docs/pool.md), whose jobs end with the session. "
        "Give it as often as needed.",
        show_default="none",
    ),
]
State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        envvar="WARPCORE_STATE",
        help="The scheduler's database. Give a path on a local disk where the processing directory is on NFS.",
        show_default="<processing>/.warpcore/state.db",
    ),
]
Watch = Annotated[
    bool,
    typer.Option(
        "--watch/--no-watch",
        envvar="WARPCORE_WATCH",
        help="Between scans, also listen to the file system for new files.",
    ),
]
Incubation = Annotated[
    float,
    typer.Option(
        "--incubation",
        min=0.0,
        metavar="SECONDS",
        envvar="WARPCORE_INCUBATION",
        help="A file is examined once its size and time have not changed for this long.",
    ),
]
GiveUp = Annotated[
    float,
    typer.Option(
        "--give-up",
        metavar="SECONDS",
        min=0.1,
        envvar="WARPCORE_GIVE_UP",
        help="A file that is still cut off after this time is registered, so that it fails and says why.",
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
        help="A worker that is silent for longer counts as lost; its movies go to others.",
    ),
]
TaskTimeout = Annotated[
    float,
    typer.Option(
        "--task-timeout",
        min=1.0,
        metavar="SECONDS",
        envvar="WARPCORE_TASK_TIMEOUT",
        help="A movie that makes no progress for longer goes to another worker.",
    ),
]
Paused = Annotated[
    bool | None,
    typer.Option(
        "--paused/--processing-on",
        help="Begin paused, or processing, whatever it was before.",
        show_default="as it was before; processing in a new session",
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        help="JSON file of settings, or X.settings of Warp's. A setting that it does not name gets its default.",
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.NAME=VALUE",
        help="One setting, for example ctf.voltage=200. Give it as often as needed.",
    ),
]
Url = Annotated[str, typer.Option("--url", envvar="WARPCORE_URL", help="Address of the REST API.")]
RestAfter = Annotated[
    float,
    typer.Option(
        "--rest-after",
        metavar="MINUTES",
        min=0.0,
        envvar="WARPCORE_REST_AFTER",
        help="Without a movie for so long a worker gives the memory of its GPU back, until the next movie; 0: never.",
    ),
]
Log = Annotated[
    LogFormat,
    typer.Option(
        "--log-format",
        envvar="WARPCORE_LOG_FORMAT",
        help="Log as text, or as one JSON object a line with time, level, logger, message, movie, lease and worker.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]
Device = Annotated[
    str,
    typer.Option("--device", envvar="WARPCORE_DEVICE", help="auto, cpu, cuda, cuda:N or cuda:UUID.", metavar="DEVICE"),
]
