"""Runs the REST API: binds the port, lets gunicorn serve it, and ends gunicorn."""

from __future__ import annotations

import errno
import logging
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from warpcore.services.access.places import Access
from warpcore.services.access.private import AccessError, make_private
from warpcore.services.access.tokens import TokenStore
from warpcore.services.api.http.certificates import Certificate, read_certificate
from warpcore.services.api.http.hosts import own_names
from warpcore.services.api.http.options import HttpOptions
from warpcore.services.api.server_options import ServerOptions
from warpcore.services.process.parent import PARENT_VARIABLE

POLL_S = 0.1
END_S = 2.5

log = logging.getLogger(__name__)


class ApiPortError(OSError):
    """The port cannot be bound; the text names it and says what to do."""


def run_api(options: ServerOptions, *, port: int = 5000, bind: str = "127.0.0.1", stop: threading.Event) -> int:
    """Serve REST at `bind:port` until `stop` is set. Returns the exit code, 0 after `stop`.

    Raises ApiPortError, AccessError where the tokens cannot be used, and CertificateError where `options.http` names a
    certificate that cannot serve. gunicorn runs as a child that inherits the listening socket, so that a port in use is
    found before anything starts.
    """
    if options.access is not None:
        _make_tokens(options.access)
    certificate = read_certificate(options.http.certificate, options.http.key)
    options = msgspec.structs.replace(options, http=with_names(options.http, bind, certificate))
    with listening_socket(bind, port) as listener:
        server_module = [sys.executable, "-m", "warpcore.services.api.server"]
        command = [*server_module, str(listener.fileno()), options.to_argument()]
        environment = {**os.environ, PARENT_VARIABLE: str(os.getpid())}
        server = subprocess.Popen(command, pass_fds=[listener.fileno()], env=environment)
        try:
            log.info("REST at %s", url(bind, listener.getsockname()[1], certificate))
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


def with_names(http: HttpOptions, bind: str, certificate: Certificate | None) -> HttpOptions:
    """These options with the names that this host has, and those of its certificate."""
    names = (*http.hosts, *own_names(bind), *(certificate.names if certificate else ()))
    return msgspec.structs.replace(http, hosts=tuple(dict.fromkeys(names)))


def url(bind: str, port: int, certificate: Certificate | None = None) -> str:
    """The address for a browser on this host of an API that is bound there.

    With a certificate it has a name that this is for, where it is not for the address itself.
    """
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind, bind)
    if certificate is None:
        return f"http://{_in_url(address)}:{port}"
    names = [name for name in certificate.names if "*" not in name]
    return f"https://{_in_url(address if address in names or not names else names[0])}:{port}"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _make_tokens(access: Path) -> None:
    """Make the file of tokens where there is none. Raises AccessError."""
    try:
        make_private(access)
    except OSError as error:
        raise AccessError(f"{access} cannot be made: {error.strerror}; give another folder with --access") from None
    TokenStore(Access(access).tokens).make()


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
