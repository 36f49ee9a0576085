"""What `up` checks before it starts anything, so that it can tell every fault at once."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warpcore.services.api.http.options import HttpOptions


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


def certificate_fault(http: HttpOptions) -> str | None:
    """Why REST cannot be served with this certificate; None where it can, or where there is none."""
    from warpcore.services.api.http.certificates import CertificateError, read_certificate

    try:
        read_certificate(http.certificate, http.key)
    except CertificateError as error:
        return str(error)
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


def pool_faults(files: Sequence[Path]) -> list[str]:
    """Files that say nothing that a pool could be run by, and two of one name."""
    from warpcore.services.pool.configuration import ConfigurationError, read_configuration

    faults = []
    for file in files:
        try:
            read_configuration(file)
        except ConfigurationError as error:
            faults.append(str(error))
    if len({file.stem for file in files}) < len(files):
        faults.append("two files of --pool have the same name, by which pools are told apart; rename one")
    return faults


def port_faults(bind: str, ports: Mapping[str, int]) -> list[str]:
    """Faults of the address and of ports (number by option): those that cannot be bound, and those given twice."""
    fault = _address_fault(bind)
    if fault:
        return [fault]
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


def is_free(bind: str, port: int) -> bool:
    """Whether a service can listen at this port."""
    return _port_fault(bind, "", port) is None


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


def _address_fault(bind: str) -> str | None:
    with _unbound(bind) as probe:
        try:
            probe.bind((bind, 0))
        except OSError as error:
            return f"{bind} is no address of this host to listen at ({error.strerror}); give another with --bind"
    return None


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
