"""`warpcore pool run`: the service that keeps the right number of workers on a batch system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from warpcore.bus.endpoints import Endpoints
from warpcore.bus.vocabulary import ServiceName
from warpcore.cli import access_options as a
from warpcore.cli import options as o
from warpcore.cli.errors import CONFIGURATION, USAGE, CliError
from warpcore.cli.own_keys import key_for
from warpcore.cli.pool import GROUP
from warpcore.cli.service_life import incurable, service
from warpcore.services.process.logs import LogFormat

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}"

OneScheduler = Annotated[
    list[str] | None,
    typer.Option(
        "--scheduler",
        metavar="HOST",
        envvar="WARPCORE_SCHEDULER",
        help="Host of the session's scheduler; a pool serves one session.",
        show_default="127.0.0.1",
    ),
]
PoolName = Annotated[
    str,
    typer.Option(
        "--name",
        metavar="NAME",
        help="Name of the pool: names of its jobs, workers and keys begin with it.",
        show_default="that of the file",
    ),
]
EndJobs = Annotated[
    bool,
    typer.Option(
        "--end-jobs", help="Cancel all jobs of the pool when it ends; else they go on, and are taken up again later."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to `warpcore pool`."""
    GROUP.command()(run)


def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML file that says on which system, and how many.")],
    processing: o.Processing,
    name: PoolName = "",
    scheduler: OneScheduler = None,
    controller_port: o.ControllerPort = 8080,
    control_port: o.ControlPort = 8081,
    end_jobs: EndJobs = False,
    access: a.PoolAccess = None,
    key: o.Key = None,
    group_writable: o.GroupWritable = False,
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Keep as many workers on the site's batch system as there are movies, within the limits of FILE."""
    from warpcore.services.access.places import Access
    from warpcore.services.pool.configuration import ConfigurationError
    from warpcore.services.pool.service import PoolPlace, run_pool
    from warpcore.services.pool.store import StoreError

    host = only_scheduler(scheduler)
    endpoints = Endpoints(host, controller_port, control_port)
    place = PoolPlace(pool_name(name, file), file, processing, Access.of(access, processing))
    with service(log_format, group_writable) as stop, incurable(ConfigurationError, StoreError):
        under = key_for(key, host, control_port, ServiceName.POOL)
        run_pool(endpoints, place, key=under, end_jobs=end_jobs, stop=stop)


def only_scheduler(given: list[str] | str | None) -> str:
    """The scheduler's host, as `--scheduler` or `--session` gives it. Raises CliError for several."""
    hosts = [given] if isinstance(given, str) else given or ["127.0.0.1"]
    if len(hosts) > 1:
        told = ", ".join(hosts)
        raise CliError(
            f"--scheduler is given {len(hosts)} times ({told}): a pool and its workers serve one session; run a pool "
            "for each",
            USAGE,
        )
    return hosts[0]


def pool_name(given: str, file: Path) -> str:
    """The pool's name: the one that was given, else that of its file. Raises CliError for one that names no key."""
    import re

    name = given or file.stem
    if re.fullmatch(NAME_PATTERN, name) is None:
        raise CliError(
            f"{name!r} cannot be the name of a pool: give one of letters, digits and . _ -, at most 32, by --name",
            CONFIGURATION,
        )
    return name
