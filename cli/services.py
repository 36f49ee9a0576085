"""The services one by one, on any host: all but the worker and the pool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.bus.endpoints import Endpoints
from warpcore.bus.vocabulary import ServiceName
from warpcore.cli import access_options as a
from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli import rest_options as r
from warpcore.cli.errors import CONFIGURATION, CliError
from warpcore.cli.own_keys import checked_access, key_file_for, key_for
from warpcore.cli.replay import scheduler_replay
from warpcore.cli.service_life import exit_with, incurable, service
from warpcore.services.process.logs import LogFormat

if TYPE_CHECKING:
    from warpcore.services.session.settings import Settings

OwnName = Annotated[
    str,
    typer.Option(
        "--name",
        help="Name of this session among your own on this host: its page links to the others.",
        show_default="no links",
    ),
]
Rebuild = Annotated[
    bool,
    typer.Option(
        "--rebuild", help="Make a lost or damaged state anew from the results on disk, say what is not known, and end."
    ),
]
Record = Annotated[
    Path | None,
    typer.Option("--record", metavar="FILE", help="Record every stimulus there, for `warpcore scheduler-replay`."),
]
Processes = Annotated[
    int,
    typer.Option("--processes", min=1, max=64, envvar="WARPCORE_API_PROCESSES", help="Processes that serve requests."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (scheduler, scheduler_replay, discoverer, tracker, notifier, api):
        app.command(rich_help_panel="Services")(command)


def scheduler(
    data: o.Data,
    processing: o.Processing,
    bind: o.Bind = "127.0.0.1",
    controller_port: o.ControllerPort = 8080,
    control_port: o.ControlPort = 8081,
    events_in_port: o.EventsInPort = 8082,
    events_out_port: o.EventsOutPort = 8083,
    state: o.State = None,
    settings: o.SettingsFile = None,
    assignments: o.Assignments = None,
    paused: o.Paused = None,
    heartbeat_timeout: o.HeartbeatTimeout = 30.0,
    task_timeout: o.TaskTimeout = 1800.0,
    references: o.References = None,
    follow_links: o.FollowLinks = False,
    record: Record = None,
    rebuild: Rebuild = False,
    group_writable: o.GroupWritable = False,
    access: a.SchedulerAccess = None,
    insecure: a.Insecure = False,
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Own all state and hand movies to workers. It listens on four ports; all other services connect to them."""
    from warpcore.cli.initial_settings import settings_change

    if rebuild:
        _rebuild(data, processing, state, settings_change(settings, assignments or []))
        return
    endpoints = Endpoints("127.0.0.1", controller_port, control_port, events_in_port, events_out_port, bind)
    keys = checked_access(access, bind, insecure=insecure)
    with service(log_format, group_writable) as stop:
        from warpcore.bus.sockets import BindError
        from warpcore.services.process.descriptors import allow_many
        from warpcore.services.scheduler.shell.service import RecordError, SessionError, StateError, run_scheduler
        from warpcore.services.session.allowed import Readable
        from warpcore.services.session.settings import SettingsError

        allow_many()
        with incurable(BindError, SessionError, StateError, SettingsError, RecordError):
            run_scheduler(
                endpoints,
                data,
                processing,
                state_path=state,
                settings=settings_change(settings, assignments or []),
                paused=paused,
                heartbeat_timeout_s=heartbeat_timeout,
                task_timeout_s=task_timeout,
                record=record,
                readable=Readable(tuple(str(folder.absolute()) for folder in references or ()), follow_links),
                access=keys,
                stop=stop,
            )


def _rebuild(data: Path, processing: Path, state: Path | None, settings: Callable[[Settings], Settings] | None) -> None:
    from warpcore.services.scheduler.shell.lock import SessionError
    from warpcore.services.scheduler.shell.rebuilding import rebuild
    from warpcore.services.scheduler.store.schema import StateError
    from warpcore.services.session.settings import SettingsError

    with incurable(SessionError, StateError, SettingsError, OSError):
        for line in rebuild(data, processing, state_path=state, settings=settings):
            output.note(line)


def discoverer(
    data: o.Data,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    events_in_port: o.EventsInPort = 8082,
    events_out_port: o.EventsOutPort = 8083,
    watch: o.Watch = True,
    scan_interval: o.ScanInterval = 2.0,
    incubation: o.Incubation = 1.0,
    give_up: o.GiveUp = 30.0,
    path_map: o.PathMaps = None,
    follow_links: o.FollowLinks = False,
    key: o.Key = None,
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Find movies in the data directory and register each once it is whole."""
    endpoints = Endpoints(
        scheduler, control_port=control_port, events_in_port=events_in_port, events_out_port=events_out_port
    )
    with service(log_format) as stop:
        from warpcore.services.discoverer.service import DataDirectoryError, run_discoverer

        with incurable(DataDirectoryError):
            run_discoverer(
                endpoints,
                data,
                watch=watch,
                scan_interval_s=scan_interval,
                incubation_s=incubation,
                give_up_s=give_up,
                paths=o.path_map(path_map),
                follow_links=follow_links,
                key=key_for(key, scheduler, control_port, ServiceName.DISCOVERER),
                stop=stop,
            )


def tracker(
    processing: o.Processing,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    events_in_port: o.EventsInPort = 8082,
    events_out_port: o.EventsOutPort = 8083,
    group_writable: o.GroupWritable = False,
    key: o.Key = None,
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Write processed_items.json, failed_items.json, XML and STAR files as movies change."""
    endpoints = Endpoints(
        scheduler, control_port=control_port, events_in_port=events_in_port, events_out_port=events_out_port
    )
    with service(log_format, group_writable) as stop:
        from warpcore.services.tracker.service import run_tracker

        under = key_for(key, scheduler, control_port, ServiceName.TRACKER)
        run_tracker(endpoints, processing, key=under, stop=stop)


def notifier(
    processing: o.Processing,
    notify: Annotated[Path, o.notify()],
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    events_out_port: o.EventsOutPort = 8083,
    test: Annotated[bool, typer.Option("--test", help="Send one test message by each way, and end.")] = False,
    group_writable: o.GroupWritable = False,
    key: o.Key = None,
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Send alarms by webhook and e-mail, as a file says."""
    endpoints = Endpoints(scheduler, control_port=control_port, events_out_port=events_out_port)
    with service(log_format, group_writable) as stop:
        from warpcore.services.notifier.channels import SendError
        from warpcore.services.notifier.configuration import ConfigurationError
        from warpcore.services.notifier.service import run_notifier, send_test

        with incurable(ConfigurationError):
            if not test:
                under = key_for(key, scheduler, control_port, ServiceName.NOTIFIER)
                run_notifier(endpoints, processing, notify, key=under, stop=stop)
                return
            try:
                output.note(f"sent by {' and '.join(send_test(notify))}")
            except SendError as error:
                raise CliError(str(error)) from None


def api(
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    events_out_port: o.EventsOutPort = 8083,
    port: o.Port = 5000,
    bind: o.Bind = "127.0.0.1",
    processes: Processes = 1,
    origins: r.AllowOrigins = None,
    hosts: r.AllowHosts = None,
    proxies: r.TrustProxies = None,
    tls_cert: r.TlsCertificate = None,
    tls_key: r.TlsKey = None,
    path_map: o.PathMaps = None,
    group_writable: o.GroupWritable = False,
    key: o.Key = None,
    access: a.ApiAccess = None,
    insecure: a.Insecure = False,
    name: OwnName = "",
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Serve REST."""
    with service(log_format, group_writable) as stop:
        from warpcore.services.access.private import AccessError
        from warpcore.services.api.http.certificates import CertificateError
        from warpcore.services.api.server_options import ServerOptions
        from warpcore.services.api.service import ApiPortError, run_api

        if access is None and not insecure:
            told = "REST wants tokens: give --access DIR, or --insecure to open it to whoever reaches its port"
            raise CliError(told, CONFIGURATION)
        with incurable(ApiPortError, CertificateError, AccessError):
            options = ServerOptions(
                endpoints=Endpoints(scheduler, control_port=control_port, events_out_port=events_out_port),
                http=r.http_options(origins, hosts, proxies, tls_cert, tls_key),
                access=None if insecure or access is None else access.absolute(),
                key=key_file_for(key, scheduler, control_port, ServiceName.API),
                workers=processes,
                paths=o.path_map(path_map),
                own_name=name,
                log_format=log_format,
            )
            exit_with(run_api(options, port=port, bind=bind, stop=stop))
