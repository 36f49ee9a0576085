"""`warpcore up`: starts, watches and ends all services of one host."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from warpcore.bus.endpoints import Endpoints
from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli.errors import CONFIGURATION, CliError
from warpcore.cli.plan import Ports, SessionOptions, own_host
from warpcore.services.process.logs import LogFormat

WorkerCount = Annotated[
    str,
    typer.Option(
        "--workers",
        metavar="auto|N",
        envvar="WARPCORE_WORKERS",
        help="auto: one a GPU, or one on the CPU where there is none. 0: none on this host.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Start here")(up)


def up(
    data: o.Data,
    processing: o.Processing,
    port: o.Port = 5000,
    workers: WorkerCount = "auto",
    settings: o.SettingsFile = None,
    assignments: o.Assignments = None,
    paused: o.Paused = None,
    watch: o.Watch = True,
    incubation: o.Incubation = 1.0,
    give_up: o.GiveUp = 30.0,
    scan_interval: o.ScanInterval = 2.0,
    bind: o.Bind = "127.0.0.1",
    controller_port: o.ControllerPort = 8080,
    control_port: o.ControlPort = 8081,
    events_in_port: o.EventsInPort = 8082,
    events_out_port: o.EventsOutPort = 8083,
    state: o.State = None,
    notify: o.Notify = None,
    heartbeat_timeout: o.HeartbeatTimeout = 30.0,
    task_timeout: o.TaskTimeout = 1800.0,
    origins: o.AllowOrigins = None,
    rest_after: o.RestAfter = 30.0,
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Process every movie that appears in the data directory, until Ctrl-C."""
    options = SessionOptions(
        data=data.absolute(),
        processing=processing.absolute(),
        ports=Ports(port, controller_port, control_port, events_in_port, events_out_port),
        bind=bind,
        watch=watch,
        incubation_s=incubation,
        give_up_s=give_up,
        scan_interval_s=scan_interval,
        state=state.absolute() if state else None,
        notify=notify.absolute() if notify else None,
        settings_file=settings.absolute() if settings else None,
        assignments=tuple(assignments or ()),
        paused=paused,
        heartbeat_timeout_s=heartbeat_timeout,
        task_timeout_s=task_timeout,
        origins=tuple(origins or ()),
        rest_after_min=rest_after,
        log_format=log_format,
    )
    from warpcore.services.storage.mounts import database_advice

    options = with_devices(options, worker_count(workers))
    faults = session_faults(options)
    if faults:
        raise CliError("\n".join(faults), CONFIGURATION)
    state = options.state or options.processing / ".warpcore" / "state.db"
    if advice := database_advice(state):
        output.note(advice)
    run(options)


def worker_count(text: str) -> int | None:
    """The number of workers, None for `auto`. Raises a usage error."""
    if text == "auto":
        return None
    if text.isascii() and text.isdigit() and int(text) <= 256:
        return int(text)
    raise typer.BadParameter(f"--workers {text}: give auto, or a number from 0 to 256")


def with_devices(options: SessionOptions, workers: int | None) -> SessionOptions:
    """The options with a device of this host for each worker."""
    from warpcore.cli.devices import usable_gpus, visible_gpus, worker_devices
    from warpcore.services.worker.backends import NO_PLUGIN

    gpus = usable_gpus()
    if not gpus and visible_gpus():
        output.note(f"workers compute on the CPU: this host has a GPU, but {NO_PLUGIN}")
    devices = tuple(worker_devices(workers, gpus))
    return replace(options, devices=devices, cores=len(os.sched_getaffinity(0)), environment=dict(os.environ))


def session_faults(options: SessionOptions) -> list[str]:
    """Why this session cannot run, one line a fault; empty where it can."""
    from warpcore.cli import preflight
    from warpcore.cli.initial_settings import settings_from
    from warpcore.services.session.settings import SettingsError
    from warpcore.services.steps.chain import CHAIN

    faults = [
        *CHAIN.faults,
        preflight.data_directory_fault(options.data),
        preflight.processing_directory_fault(options.processing) or preflight.in_use_fault(options.processing),
        preflight.nested_fault(options.data, options.processing),
        *preflight.port_faults(options.bind, options.ports.by_option()),
        preflight.notify_fault(options.notify),
    ]
    try:
        settings_from(options.settings_file, options.assignments)
    except SettingsError as error:
        faults += [str(SettingsError([fault])) for fault in error.errors]
    return [fault for fault in faults if fault]


def run(options: SessionOptions) -> None:
    """Run the session until a signal ends it."""
    from rich.console import Console

    from warpcore.cli.plan import session_services
    from warpcore.cli.running import run_session
    from warpcore.cli.screens import screen_for
    from warpcore.services.api.service import url

    host = own_host(options.bind)
    ports = options.ports
    endpoints = Endpoints(host, ports.controller, ports.control, ports.events_in, ports.events_out, options.bind)
    page = url(options.bind, ports.rest)
    if options.log_format is LogFormat.TEXT:
        output.note(f"live page: {page}")
    ready = f"page at {page}, results in {options.processing}; Ctrl-C ends"
    screen = screen_for(Console(stderr=True), options.log_format)
    logs = logs_of(options.processing)
    run_session(session_services(options), logs, endpoints, screen, ready, log_format=options.log_format)


def logs_of(processing: Path) -> Path:
    """The folder of the services' logs."""
    return processing / "logs"
