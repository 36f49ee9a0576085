"""`warpcore worker`: processes movies on one device, on any host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from warpcore.bus.limits import MOST_PROCESSES
from warpcore.cli import options as o
from warpcore.cli.served import Keys, Schedulers, Sessions, schedulers_of
from warpcore.cli.service_life import exit_with, incurable, service
from warpcore.services.process.logs import LogFormat

Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        envvar="WARPCORE_NAME",
        help="Name of the worker. With the same name after a restart it replaces the dead one at once.",
    ),
]
ComputeProcesses = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        max=MOST_PROCESSES,
        help="Compute processes that share the device; default: by its memory and the host's cores, 1 on a CPU.",
    ),
]
Within = Annotated[
    list[Path] | None,
    typer.Option(
        "--within",
        metavar="FOLDER",
        envvar="WARPCORE_WITHIN",
        help="Read and write below this folder alone, whatever the scheduler says. Give it as often as needed.",
        show_default="where the scheduler says",
    ),
]
WallTime = Annotated[
    float | None,
    typer.Option(
        "--wall-time",
        min=0.1,
        metavar="MINUTES",
        envvar="WARPCORE_WALL_TIME",
        help="The batch system ends this job after so long: with less time left than its slowest movie took, the "
        "worker takes no more and ends.",
        show_default="no end",
    ),
]
IdleEnd = Annotated[
    float | None,
    typer.Option(
        "--idle-end",
        min=0.1,
        metavar="MINUTES",
        envvar="WARPCORE_IDLE_END",
        help="Without a movie for so long the worker ends.",
        show_default="never",
    ),
]
PoolJob = Annotated[
    str,
    typer.Option(
        "--pool",
        metavar="POOL/JOB",
        envvar="WARPCORE_POOL",
        help="Of which pool this worker is, and which of its jobs. A pool gives it to the workers that it starts.",
        show_default="none",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Services")(worker)


def worker(
    context: typer.Context,
    session: Sessions = None,
    scheduler: Schedulers = None,
    controller_port: o.ControllerPort = 8080,
    device: o.Device = "auto",
    name: Name = None,
    processes: ComputeProcesses = None,
    rest_after: o.RestAfter = 30.0,
    path_map: o.PathMaps = None,
    within: Within = None,
    group_writable: o.GroupWritable = False,
    key: Keys = None,
    wall_time: WallTime = None,
    idle_end: IdleEnd = None,
    pool: PoolJob = "",
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Process movies on one device. A worker connects to one port of the scheduler and needs none of its own.

    It may serve several sessions, of which those with waiting movies share it.
    """
    from warpcore.cli.devices import bound_own_threads
    from warpcore.services.worker.limits import WITHIN

    bound_own_threads(device)
    if within:
        os.environ[WITHIN] = os.pathsep.join(str(folder.absolute()) for folder in within)
    with service(log_format, group_writable) as stop:
        from warpcore.services.worker.devices import DeviceError
        from warpcore.services.worker.service import run_worker

        with incurable(DeviceError):
            exit_with(
                run_worker(
                    schedulers_of(context, session, scheduler, controller_port, key),
                    name=name,
                    device=device,
                    processes=processes,
                    rest_after_s=rest_after * 60 or None,
                    paths=o.path_map(path_map),
                    wall_time_s=None if wall_time is None else wall_time * 60,
                    idle_end_s=None if idle_end is None else idle_end * 60,
                    pool=pool,
                    stop=stop,
                )
            )
