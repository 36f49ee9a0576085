"""Runs the REST API: binds the port, lets gunicorn serve it, and ends gunicorn."""

from __future__ import annotations

import errno
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

from warpcore.bus.endpoints import Endpoints
from warpcore.services.process.logs import LogFormat
from warpcore.services.process.parent import PARENT_VARIABLE

POLL_S = 0.1
END_S = 2.5

log = logging.getLogger(__name__)


class ApiPortError(OSError):
    """The port cannot be bound; the text names it and says what to do."""


def run_api(
    endpoints: Endpoints,
    *,
    port: int = 5000,
    bind: str = "127.0.0.1",
    workers: int = 1,
    origins: Sequence[str] = (),
    log_format: LogFormat = LogFormat.TEXT,
    stop: threading.Event,
) -> int:
    """Serve REST at `bind:port` until `stop` is set. Returns the exit code, 0 after `stop`. Raises ApiPortError.

    Pages of other web sites may use it where their origin is among `origins`.
    gunicorn runs as a child that inherits the listening socket, so that a port in use is found before anything starts.
    """
    with listening_socket(bind, port) as listener:
        command = [sys.executable, "-m", "warpcore.services.api.server"]
        ports = [str(endpoints.control_port), str(endpoints.events_out_port)]
        command += [str(listener.fileno()), endpoints.host, *ports, str(workers), log_format, *origins]
        environment = {**os.environ, PARENT_VARIABLE: str(os.getpid())}
        server = subprocess.Popen(command, pass_fds=[listener.fileno()], env=environment)
        try:
            log.info("REST at %s", url(bind, listener.getsockname()[1]))
            while server.poll() is None and not stop.wait(POLL_S):
                pass
        finally:
            ended_by_itself = server.poll()
            _end(server)
    if ended_by_itself is None:
        return 0
    log.error("gunicorn ended with exit code %d without being told to", ended_by_itself)
    return ended_by_itself or 1


def listening_socket(bind: str, port: int) -> socket.socket:
    """A TCP socket that listens at `bind:port`. Raises ApiPortError."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((bind, port))
        listener.listen(512)
    except (OSError, OverflowError) as error:
        listener.close()
        raise ApiPortError(f"REST: cannot bind {bind}:{port}: {_advice(error)}") from None
    return listener


def url(bind: str, port: int) -> str:
    """The address for a browser on this host of an API that is bound there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(bind, f"[{bind}]" if ":" in bind else bind)
    return f"http://{host}:{port}"


def _advice(error: OSError | OverflowError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return "the port is in use; end the program that holds it or choose another with --port"
    if number == errno.EACCES:
        return "ports below 1024 need root; choose another with --port"
    if number in (errno.EADDRNOTAVAIL, None):
        return "this host has no such address; give an address of this host with --bind, and a port from 1 to 65535"
    return f"{error}; choose another address or port"


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(END_S)
    except subprocess.TimeoutExpired:
        log.warning("gunicorn did not end within %g s of TERM; killing it", END_S)
        server.kill()
        server.wait()
