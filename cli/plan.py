"""The command lines of the services that `warpcore up` runs, as a pure function of its options."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from warpcore.cli.devices import thread_environment
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

    `settings_file`, `assignments` and `paused` count at the session's start only. `notify` says where alarms are sent.
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
    settings_file: Path | None = None
    assignments: tuple[str, ...] = ()
    paused: bool | None = None
    heartbeat_timeout_s: float = 30.0
    task_timeout_s: float = 1800.0
    origins: tuple[str, ...] = ()
    rest_after_min: float = 30.0
    log_format: LogFormat = LogFormat.TEXT


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """How to start one service. `first_arguments` are added until it has run well once."""

    name: str
    arguments: tuple[str, ...]
    first_arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *, first: bool) -> list[str]:
        """The command line."""
        extra = self.first_arguments if first else ()
        return [sys.executable, "-m", "warpcore.cli.main", *self.arguments, *extra]


def session_services(options: SessionOptions) -> list[ServiceSpec]:
    """The scheduler, everything that connects to it, and the workers."""
    ports = options.ports
    here = own_host(options.bind)
    control = ("--scheduler", here, "--control-port", str(ports.control))
    events = ("--events-in-port", str(ports.events_in), "--events-out-port", str(ports.events_out))
    rest = ("--events-out-port", str(ports.events_out), "--port", str(ports.rest), "--bind", options.bind)
    origins = tuple(text for origin in options.origins for text in ("--allow-origin", origin))
    discoverer = ["--data", str(options.data), "--watch" if options.watch else "--no-watch"]
    discoverer += ["--incubation", str(options.incubation_s), "--scan-interval", str(options.scan_interval_s)]
    discoverer += ["--give-up", str(options.give_up_s)]
    services = [
        _scheduler(options),
        ServiceSpec("tracker", ("tracker", "--processing", str(options.processing), *control, *events)),
        ServiceSpec("api", ("api", *control, *rest, *origins)),
        ServiceSpec("discoverer", ("discoverer", *discoverer, *control, *events)),
        *_notifier(options, control),
        *_workers(options, here),
    ]
    if options.log_format is LogFormat.TEXT:
        return services
    form = ("--log-format", options.log_format)
    return [replace(one, arguments=(*one.arguments, *form)) for one in services]


def _notifier(options: SessionOptions, control: tuple[str, ...]) -> list[ServiceSpec]:
    """The notifier, where alarms are to be sent."""
    if options.notify is None:
        return []
    where = ("--processing", str(options.processing), "--notify", str(options.notify))
    return [ServiceSpec("notifier", ("notifier", *where, *control, "--events-out-port", str(options.ports.events_out)))]


def own_host(bind: str) -> str:
    """The address at which a process of this host reaches what is bound at `bind`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}.get(bind, bind)


def _scheduler(options: SessionOptions) -> ServiceSpec:
    ports = options.ports
    arguments = ["scheduler", "--data", str(options.data), "--processing", str(options.processing)]
    arguments += ["--bind", options.bind]
    for option, port in ports.by_option().items():
        if option != "--port":
            arguments += [option, str(port)]
    arguments += [
        "--heartbeat-timeout",
        str(options.heartbeat_timeout_s),
        "--task-timeout",
        str(options.task_timeout_s),
    ]
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


def _workers(options: SessionOptions, here: str) -> list[ServiceSpec]:
    specs = []
    for number, device in enumerate(options.devices, 1):
        # The name stays the same, so that a worker that is started again replaces the dead one at once.
        name = f"{socket.gethostname()}/{number}"
        ports = ("--controller-port", str(options.ports.controller))
        arguments = ("worker", "--scheduler", here, *ports, "--rest-after", str(options.rest_after_min))
        environment = thread_environment(device, len(options.devices), options.cores)
        if device.startswith("cuda") and own_fraction(options.environment) is None:
            environment |= memory_environment(options.devices.count(device), options.environment)
        specs.append(
            ServiceSpec(f"worker-{number}", (*arguments, "--device", device, "--name", name), environment=environment)
        )
    return specs
