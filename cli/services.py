"""The services one by one, on any host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.bus.endpoints import Endpoints
from warpcore.bus.limits import MOST_PROCESSES
from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli.errors import CONFIGURATION, CliError
from warpcore.services.process.logs import LogFormat, log_to_stderr

if TYPE_CHECKING:
    from warpcore.services.session.settings import Settings

Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        envvar="WARPCORE_NAME",
        help="Name of the worker. With the same name after a restart it replaces the dead one at once.",
    ),
]
Rebuild = Annotated[
    bool,
    typer.Option(
        "--rebuild", help="Make a lost or damaged state anew from the results on disk, say what is not known, and end."
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
    for command in (scheduler, scheduler_replay, discoverer, tracker, notifier, api, worker):
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
    record: Record = None,
    rebuild: Rebuild = False,
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Own all state and hand movies to workers. It listens on four ports; all other services connect to them."""
    from warpcore.cli.initial_settings import settings_change

    if rebuild:
        _rebuild(data, processing, state, settings_change(settings, assignments or []))
        return
    endpoints = Endpoints("127.0.0.1", controller_port, control_port, events_in_port, events_out_port, bind)
    with _service(log_format) as stop:
        from warpcore.bus.sockets import BindError
        from warpcore.services.scheduler.shell.service import RecordError, SessionError, StateError, run_scheduler
        from warpcore.services.session.settings import SettingsError

        with _incurable(BindError, SessionError, StateError, SettingsError, RecordError):
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
                stop=stop,
            )


def _rebuild(data: Path, processing: Path, state: Path | None, settings: Callable[[Settings], Settings] | None) -> None:
    from warpcore.services.scheduler.shell.lock import SessionError
    from warpcore.services.scheduler.shell.rebuilding import rebuild
    from warpcore.services.scheduler.store.schema import StateError
    from warpcore.services.session.settings import SettingsError

    with _incurable(SessionError, StateError, SettingsError, OSError):
        for line in rebuild(data, processing, state_path=state, settings=settings):
            output.note(line)


def scheduler_replay(
    file: Annotated[Path, typer.Argument(help="A recording made by `warpcore scheduler --record FILE`.")],
    check: Annotated[
        bool, typer.Option("--check", help="Also check after each stimulus that the state is consistent.")
    ] = False,
) -> None:
    """Run a recording through the scheduler's decisions again, and say where they differ."""
    from warpcore.services.scheduler.store.recording import RecordError
    from warpcore.services.scheduler.store.replaying import replay

    try:
        replayed = replay(file, check=check)
    except RecordError as error:
        raise CliError(str(error)) from None
    if replayed.note:
        output.note(replayed.note)
    if replayed.difference is not None:
        raise CliError(str(replayed.difference))
    output.note(f"{replayed.stimuli} stimuli: all effects are equal")


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
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Find movies in the data directory and register each once it is whole."""
    endpoints = Endpoints(
        scheduler, control_port=control_port, events_in_port=events_in_port, events_out_port=events_out_port
    )
    with _service(log_format) as stop:
        from warpcore.services.discoverer.service import DataDirectoryError, run_discoverer

        with _incurable(DataDirectoryError):
            run_discoverer(
                endpoints,
                data,
                watch=watch,
                scan_interval_s=scan_interval,
                incubation_s=incubation,
                give_up_s=give_up,
                stop=stop,
            )


def tracker(
    processing: o.Processing,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    events_in_port: o.EventsInPort = 8082,
    events_out_port: o.EventsOutPort = 8083,
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Write processed_items.json, failed_items.json, XML and STAR files as movies change."""
    endpoints = Endpoints(
        scheduler, control_port=control_port, events_in_port=events_in_port, events_out_port=events_out_port
    )
    with _service(log_format) as stop:
        from warpcore.services.tracker.service import run_tracker

        run_tracker(endpoints, processing, stop=stop)


def notifier(
    processing: o.Processing,
    notify: Annotated[Path, o.notify()],
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    events_out_port: o.EventsOutPort = 8083,
    test: Annotated[bool, typer.Option("--test", help="Send one test message by each way, and end.")] = False,
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Send alarms by webhook and e-mail, as a file says."""
    endpoints = Endpoints(scheduler, control_port=control_port, events_out_port=events_out_port)
    with _service(log_format) as stop:
        from warpcore.services.notifier.channels import SendError
        from warpcore.services.notifier.configuration import ConfigurationError
        from warpcore.services.notifier.service import run_notifier, send_test

        with _incurable(ConfigurationError):
            if not test:
                run_notifier(endpoints, processing, notify, stop=stop)
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
    origins: o.AllowOrigins = None,
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Serve REST."""
    with _service(log_format) as stop:
        from warpcore.services.api.service import ApiPortError, run_api

        endpoints = Endpoints(scheduler, control_port=control_port, events_out_port=events_out_port)
        with _incurable(ApiPortError):
            sites = origins or ()
            code = run_api(
                endpoints, port=port, bind=bind, workers=processes, origins=sites, log_format=log_format, stop=stop
            )
            _exit_with(code)


def worker(
    scheduler: o.SchedulerHost = "127.0.0.1",
    controller_port: o.ControllerPort = 8080,
    device: o.Device = "auto",
    name: Name = None,
    processes: ComputeProcesses = None,
    rest_after: o.RestAfter = 30.0,
    log_format: o.Log = LogFormat.TEXT,
) -> None:
    """Process movies on one device. A worker connects to one port of the scheduler and needs none of its own."""
    from warpcore.cli.devices import bound_own_threads

    bound_own_threads(device)
    with _service(log_format) as stop:
        from warpcore.services.worker.devices import DeviceError
        from warpcore.services.worker.service import run_worker

        with _incurable(DeviceError):
            endpoints = Endpoints(scheduler, controller_port)
            rest_after_s = rest_after * 60 or None
            _exit_with(
                run_worker(
                    endpoints, name=name, device=device, processes=processes, rest_after_s=rest_after_s, stop=stop
                )
            )


@contextmanager
def _service(log_format: LogFormat) -> Iterator[Event]:
    """What all services do: end with the parent where there is one, log to stderr, end on INT and TERM."""
    from warpcore.cli.signals import stop_event
    from warpcore.services.process.parent import end_with_parent

    stop = stop_event()
    end_with_parent(insist=True)
    log_to_stderr(log_format)
    yield stop


@contextmanager
def _incurable(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of these kinds mean that the service cannot run with this configuration: exit code 78."""
    try:
        yield
    except kinds as error:
        raise CliError(str(error), CONFIGURATION) from None


def _exit_with(code: int) -> None:
    if code:
        raise typer.Exit(code)
