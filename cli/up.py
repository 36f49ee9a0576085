"""`warpcore up`: starts, watches and ends all services of one host."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from warpcore.bus.endpoints import Endpoints
from warpcore.cli import access_options as a
from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli import rest_options as r
from warpcore.cli.errors import CONFIGURATION, CliError
from warpcore.cli.own_keys import at_hand, operator_key, page_of, with_keys
from warpcore.cli.plan import Ports, SessionOptions, own_host
from warpcore.services.access.places import Access
from warpcore.services.process.logs import LogFormat


def _session_name(given: str | None) -> str | None:
    """Raises a usage error for what is no name."""
    from warpcore.cli.own_keys import as_name

    if given is not None and given != as_name(given):
        raise typer.BadParameter(f"{given!r:.80}: it has letters, digits and . _ @ -, at most 50, a letter first")
    return given


WorkerCount = Annotated[
    str,
    typer.Option(
        "--workers",
        metavar="auto|N",
        envvar="WARPCORE_WORKERS",
        help="auto: one a GPU, or one on the CPU where there is none. 0: none on this host.",
    ),
]


SessionName = Annotated[
    str | None,
    typer.Option(
        "--name",
        envvar="WARPCORE_SESSION_NAME",
        help="What commands call this session: --session NAME.",
        callback=_session_name,
        show_default="the name of the processing directory",
    ),
]
PortsFrom = Annotated[
    int | None,
    typer.Option(
        "--ports-from",
        min=1024,
        max=65531,
        metavar="PORT",
        envvar="WARPCORE_PORTS_FROM",
        help="Take the ports that are not given one by one from here: five in a row, or the next five that are free.",
        show_default="5000 and 8080 to 8083, or 5001 and 8084 to 8087 …",
        rich_help_panel="Ports",
    ),
]
POOL_TELLS_S = 10.0
"""Beyond the time that a pool gives its jobs to end: for revoking their keys and its last report, on a busy host."""
_PORT_OPTIONS = {
    "port": "rest",
    "controller_port": "controller",
    "control_port": "control",
    "events_in_port": "events_in",
    "events_out_port": "events_out",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Start here")(up)


def up(
    context: typer.Context,
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
    pool: o.Pools = None,
    heartbeat_timeout: o.HeartbeatTimeout = 30.0,
    task_timeout: o.TaskTimeout = 1800.0,
    origins: r.AllowOrigins = None,
    hosts: r.AllowHosts = None,
    proxies: r.TrustProxies = None,
    tls_cert: r.TlsCertificate = None,
    tls_key: r.TlsKey = None,
    references: o.References = None,
    follow_links: o.FollowLinks = False,
    group_writable: o.GroupWritable = False,
    rest_after: o.RestAfter = 30.0,
    access: a.Access = None,
    insecure: a.Insecure = False,
    name: SessionName = None,
    ports_from: PortsFrom = None,
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Process every movie that appears in the data directory, until Ctrl-C."""
    from warpcore.cli.session_option import is_given
    from warpcore.cli.session_ports import placed
    from warpcore.services.access.sessions import own_turn
    from warpcore.services.session.paths import let_group_write

    if group_writable:
        let_group_write()
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
        pools=tuple(file.absolute() for file in pool or ()),
        settings_file=settings.absolute() if settings else None,
        assignments=tuple(assignments or ()),
        paused=paused,
        heartbeat_timeout_s=heartbeat_timeout,
        task_timeout_s=task_timeout,
        http=r.http_options(origins, hosts, proxies, tls_cert, tls_key),
        references=tuple(str(folder.absolute()) for folder in references or ()),
        follow_links=follow_links,
        group_writable=group_writable,
        rest_after_min=rest_after,
        access=None if insecure else Access.of(access, processing).folder,
        log_format=log_format,
    )
    options = with_devices(options, worker_count(workers))
    named = {field for option, field in _PORT_OPTIONS.items() if is_given(context, option)}
    with own_turn() as turn:
        options = placed(options, named, ports_from, name)
        faults = session_faults(options)
        if faults:
            raise CliError("\n".join(faults), CONFIGURATION)
        run(with_pools(with_references(options)), turn.close)


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


def with_references(options: SessionOptions) -> SessionOptions:
    """The options with the folders of the files that its settings name: they stay allowed while the session runs."""
    from warpcore.cli.initial_settings import settings_from
    from warpcore.services.session.allowed import folders_of
    from warpcore.services.session.named_files import named_paths

    named = named_paths(settings_from(options.settings_file, options.assignments))
    folders = (*options.references, *folders_of(named.values()))
    return replace(options, references=tuple(dict.fromkeys(folders)))


def with_pools(options: SessionOptions) -> SessionOptions:
    """The options with how long each pool may take to end: its jobs' time, and a little to tell of it."""
    from warpcore.services.pool.configuration import read_configuration

    within_s = {file: read_configuration(file).command_s + POOL_TELLS_S for file in options.pools}
    return replace(options, pools_end_within_s=within_s)


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
        preflight.certificate_fault(options.http),
        *preflight.pool_faults(options.pools),
    ]
    try:
        settings_from(options.settings_file, options.assignments)
    except SettingsError as error:
        faults += [str(SettingsError([fault])) for fault in error.errors]
    return [fault for fault in faults if fault]


def run(options: SessionOptions, found: Callable[[], None]) -> None:
    """Run the session until a signal ends it. `found` is called once this user's commands find it."""
    from rich.console import Console

    from warpcore.cli.own_session import signing_in
    from warpcore.cli.plan import session_services
    from warpcore.cli.running import run_session
    from warpcore.cli.screens import screen_for
    from warpcore.services.access.private import AccessError

    host = own_host(options.bind)
    ports = options.ports
    endpoints = Endpoints(host, ports.controller, ports.control, ports.events_in, ports.events_out, options.bind)
    page = page_of(options)
    ready = f"page at {page}, results in {options.processing}; Ctrl-C ends"
    screen = screen_for(Console(stderr=True), options.log_format)
    logs = logs_of(options.processing)
    try:
        options = with_keys(options)
    except AccessError as error:
        raise CliError(str(error), CONFIGURATION) from None
    link = signing_in(options, page)
    with at_hand(options, page) as options:
        found()
        if options.log_format is LogFormat.TEXT:
            output.note(f"live page: {link}")
        run_session(
            session_services(options),
            logs,
            endpoints,
            screen,
            ready,
            key=operator_key(options),
            log_format=options.log_format,
        )


def logs_of(processing: Path) -> Path:
    """The folder of the services' logs."""
    return processing / "logs"
