"""What `up` checks before it starts anything, so that it can tell every fault at once."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path


def data_directory_fault(directory: Path) -> str | None:
    """Why movies cannot be read from this directory; None where they can."""
    if not directory.exists():
        return f"data directory {directory} does not exist; create it, or give another with --data"
    if not directory.is_dir():
        return f"data directory {directory} is not a directory; give the folder that holds the movies"
    if not os.access(directory, os.R_OK | os.X_OK):
        return f"data directory {directory} cannot be read by this user; change its permissions"
    return None


def processing_directory_fault(directory: Path) -> str | None:
    """Why results cannot be written to this directory; None where they can.

    It is made where it is missing, and a file is written, since permissions alone do not tell.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return None
    except OSError as error:
        return (
            f"processing directory {directory} cannot be written ({error.strerror}); "
            "change its permissions, or give another with --processing"
        )


def in_use_fault(directory: Path) -> str | None:
    """Why another session holds this processing directory; None where none does."""
    from warpcore.services.scheduler.shell.lock import SessionError, locked

    try:
        with locked(directory):
            return None
    except SessionError as error:
        return str(error)


def nested_fault(data: Path, processing: Path) -> str | None:
    """Why these two cannot be used together; None where they can. Results among the movies would count as movies."""
    if data.resolve() == processing.resolve():
        return f"data and processing directory are the same ({data}); give another folder with --processing"
    return None


def notify_fault(file: Path | None) -> str | None:
    """Why alarms cannot be sent as this file says; None where they can, or where there is none."""
    from warpcore.services.notifier.configuration import ConfigurationError, read_configuration

    try:
        if file is not None:
            read_configuration(file)
    except ConfigurationError as error:
        return str(error)
    return None


def port_faults(bind: str, ports: Mapping[str, int]) -> list[str]:
    """Faults of ports (number by option): those that cannot be bound, and those that are given twice."""
    faults = []
    taken: dict[int, str] = {}
    for option, port in ports.items():
        if port in taken:
            faults.append(f"port {port} is given for both {taken[port]} and {option}; give each its own")
            continue
        taken[port] = option
        fault = _port_fault(bind, option, port)
        if fault:
            faults.append(fault)
    return faults


def free_ports(bind: str, count: int) -> list[int]:
    """Ports that are free now."""
    sockets = [_unbound(bind) for _ in range(count)]
    try:
        for one in sockets:
            one.bind((bind, 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def usable_ports(bind: str, ports: Mapping[str, int]) -> list[int]:
    """The same ports in the same order; each that cannot be used is replaced by a free one."""
    spare = iter(free_ports(bind, len(ports)))
    usable: list[int] = []
    for option, port in ports.items():
        fits = port not in usable and _port_fault(bind, option, port) is None
        usable.append(port if fits else next(spare))
    return usable


def _port_fault(bind: str, option: str, port: int) -> str | None:
    with _unbound(bind) as probe:
        # As the services do. Without it a port would count as used for a while after its last user has ended.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as error:
            return f"port {port} ({option}) cannot be used at {bind}: {error.strerror}; choose another with {option}"
    return None


def _unbound(bind: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET, socket.SOCK_STREAM)
