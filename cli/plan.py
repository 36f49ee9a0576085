"""The command lines of the services that `warpcore up` runs, as a pure function of its options."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from warpcore.cli.devices import thread_environment
from warpcore.cli.rest_options import http_arguments
from warpcore.services.api.http.options import HttpOptions
from warpcore.services.process.logs import LogFormat
from warpcore.services.worker.devices import memory_environment, own_fraction


@dataclass(frozen=True, slots=True)
class Ports:
    """The five ports of a session."""

    rest: int = 5000
    controller: int = 8080
    control: int = 8081
    events_in: int = 8082
    events_out: int = 8083

    def by_option(self) -> dict[str, int]:
        """Port by the option that sets it."""
        return {
            "--port": self.rest,
            "--controller-port": self.controller,
            "--control-port": self.control,
            "--events-in-port": self.events_in,
            "--events-out-port": self.events_out,
        }


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """The options of a session. `devices` has one entry a worker; `environment` is what the user has set.

    `settings_file`, `assignments` and `paused` count at the session's start only. `notify` says where alarms are sent,
    `pools` are files of pools, which end within `pools_end_within_s`. `references` are folders in which files that
    settings name may lie. `access` is the directory of keys and tokens, `keys` are key files by service; without the
    one there are none of the other. `name` is what this user's commands call the session.
    """

    data: Path
    processing: Path
    ports: Ports = field(default_factory=Ports)
    bind: str = "127.0.0.1"
    devices: tuple[str, ...] = ("cpu",)
    cores: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    watch: bool = True
    incubation_s: float = 1.0
    give_up_s: float = 30.0
    scan_interval_s: float = 2.0
    state: Path | None = None
    notify: Path | None = None
    pools: tuple[Path, ...] = ()
    pools_end_within_s: Mapping[Path, float] = field(default_factory=dict)
    settings_file: Path | None = None
    assignments: tuple[str, ...] = ()
    paused: bool | None = None
    heartbeat_timeout_s: float = 30.0
    task_timeout_s: float = 1800.0
    http: HttpOptions = field(default_factory=HttpOptions)
    references: tuple[str, ...] = ()
    follow_links: bool = False
    group_writable: bool = False
    rest_after_min: float = 30.0
    access: Path | None = None
    keys: Mapping[str, Path] = field(default_factory=dict)
    name: str = ""
    log_format: LogFormat = LogFormat.TEXT


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """How to start one service. `first_arguments` are added until it has run well once.

    `ends_within_s`: how long it may take to end, where that is longer than for others.
    """

    name: str
    arguments: tuple[str, ...]
    first_arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    ends_within_s: float | None = None

    def command(self, *, first: bool) -> list[str]:
        """The command line."""
        extra = self.first_arguments if first else ()
        return [sys.executable, "-m", "warpcore.cli.main", *self.arguments, *extra]


def session_services(options: SessionOptions) -> list[ServiceSpec]:
    """The scheduler, everything that connects to it, and the workers."""
    ports = options.ports
    here = own_host(options.bind)
    connect = ("--scheduler", here, "--control-port", str(ports.control))
    events = ("--events-in-port", str(ports.events_in), "--events-out-port", str(ports.events_out))
    rest = ("--events-out-port", str(ports.events_out), "--port", str(ports.rest), "--bind", options.bind)
    discoverer = ["--data", str(options.data), "--watch" if options.watch else "--no-watch"]
    discoverer += ["--incubation", str(options.incubation_s), "--scan-interval", str(options.scan_interval_s)]
    discoverer += ["--give-up", str(options.give_up_s), *_followed(options)]
    services = [
        _scheduler(options),
        ServiceSpec(
            "tracker",
            ("tracker", "--processing", str(options.processing), *connect, *events, *_key(options, "tracker")),
        ),
        ServiceSpec(
            "api",
            (
                "api",
                *connect,
                *_key(options, "api"),
                *_access(options),
                *rest,
                *_name(options),
                *http_arguments(options.http),
            ),
        ),
        ServiceSpec("discoverer", ("discoverer", *discoverer, *connect, *events, *_key(options, "discoverer"))),
        *_notifier(options, (*connect, *_key(options, "notifier"))),
        *_workers(options, here),
        *(_pool(options, here, file) for file in options.pools),
    ]
    if options.group_writable:
        services = [replace(one, arguments=(*one.arguments, *_grouped(one))) for one in services]
    if options.log_format is LogFormat.TEXT:
        return services
    form = ("--log-format", options.log_format)
    return [replace(one, arguments=(*one.arguments, *form)) for one in services]


def _grouped(service: ServiceSpec) -> tuple[str, ...]:
    return () if service.name == "discoverer" else ("--group-writable",)  # that one writes nothing


def _key(options: SessionOptions, service: str) -> tuple[str, ...]:
    """The option that gives a service its key."""
    return ("--key", str(options.keys[service])) if service in options.keys else ()


def _access(options: SessionOptions) -> tuple[str, ...]:
    """The option that says who may connect."""
    return ("--insecure",) if options.access is None else ("--access", str(options.access))


def _name(options: SessionOptions) -> tuple[str, ...]:
    """The option that lets the page link to this user's other sessions."""
    return ("--name", options.name) if options.name else ()


def _notifier(options: SessionOptions, connect: tuple[str, ...]) -> list[ServiceSpec]:
    """The notifier, where alarms are to be sent."""
    if options.notify is None:
        return []
    where = ("--processing", str(options.processing), "--notify", str(options.notify))
    return [ServiceSpec("notifier", ("notifier", *where, *connect, "--events-out-port", str(options.ports.events_out)))]


def _pool(options: SessionOptions, here: str, file: Path) -> ServiceSpec:
    """A pool, whose jobs end with the session."""
    ports = ("--controller-port", str(options.ports.controller), "--control-port", str(options.ports.control))
    arguments = ("pool", "run", str(file), "--processing", str(options.processing), "--scheduler", here, *ports)
    access = () if options.access is None else ("--access", str(options.access))
    arguments = (*arguments, "--end-jobs", *_key(options, "pool"), *access)
    return ServiceSpec(f"pool-{file.stem}", arguments, ends_within_s=options.pools_end_within_s.get(file))


def own_host(bind: str) -> str:
    """The address at which a process of this host reaches what is bound at `bind`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}.get(bind, bind)


def _scheduler(options: SessionOptions) -> ServiceSpec:
    ports = options.ports
    arguments = ["scheduler", "--data", str(options.data), "--processing", str(options.processing)]
    arguments += ["--bind", options.bind, *_access(options)]
    for option, port in ports.by_option().items():
        if option != "--port":
            arguments += [option, str(port)]
    arguments += [
        "--heartbeat-timeout",
        str(options.heartbeat_timeout_s),
        "--task-timeout",
        str(options.task_timeout_s),
    ]
    for folder in options.references:
        arguments += ["--references", folder]
    arguments += _followed(options)
    if options.state is not None:
        arguments += ["--state", str(options.state)]
    first: list[str] = []
    if options.settings_file is not None:
        first += ["--settings", str(options.settings_file)]
    for assignment in options.assignments:
        first += ["--set", assignment]
    if options.paused is not None:
        first.append("--paused" if options.paused else "--processing-on")
    return ServiceSpec("scheduler", tuple(arguments), tuple(first))


def _followed(options: SessionOptions) -> list[str]:
    return ["--follow-links"] if options.follow_links else []


def _workers(options: SessionOptions, here: str) -> list[ServiceSpec]:
    specs = []
    for number, device in enumerate(options.devices, 1):
        # The name stays the same, so that a worker that is started again replaces the dead one at once.
        name = f"{socket.gethostname()}/{number}"
        ports = ("--controller-port", str(options.ports.controller))
        arguments = ("worker", "--scheduler", here, *ports, *_key(options, "worker"))
        arguments += ("--rest-after", str(options.rest_after_min))
        environment = thread_environment(device, len(options.devices), options.cores)
        if device.startswith("cuda") and own_fraction(options.environment) is None:
            environment |= memory_environment(options.devices.count(device), options.environment)
        specs.append(
            ServiceSpec(f"worker-{number}", (*arguments, "--device", device, "--name", name), environment=environment)
        )
    return specs
