"""The certificate by which REST is served over TLS, checked before anything starts."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from warpcore.services.session.opening import RefusedFileError, open_file

_MOST_BYTES = 1024 * 1024
"""Of a file with a certificate and its chain: a hundred times what they have."""
_FLIGHTS = 4
"""Turns of both sides that are enough for a handshake."""


class CertificateError(ValueError):
    """A certificate or key that cannot serve; the text names the file and says what to do."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a certificate with its chain and of its private key, both PEM, and the names that it is for."""

    file: Path
    key: Path
    names: tuple[str, ...]


def read_certificate(file: Path | None, key: Path | None) -> Certificate | None:
    """The certificate of these options, None where neither is given. Raises CertificateError.

    It is used once, without a network: a client that trusts it alone greets a server that shows it. So all is checked
    that a browser would refuse for every name: the form, the key, and the time for which it is good.
    """
    if file is None and key is None:
        return None
    if file is None or key is None:
        given, missing = ("--tls-cert", "--tls-key") if key is None else ("--tls-key", "--tls-cert")
        raise CertificateError(f"TLS: {given} is given without {missing}; give both, or neither")
    return Certificate(file, key, _names(_greeted(server_context(file, key), file)))


def proven_context(file: Path, key: Path) -> ssl.SSLContext:
    """What a server needs, once it has served with it. Raises CertificateError as `read_certificate` does."""
    context = server_context(file, key)
    _greeted(context, file)
    return context


def server_context(file: Path, key: Path) -> ssl.SSLContext:
    """What a server needs for TLS 1.2 and 1.3. Raises CertificateError."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        with _opened(file) as certificate, _opened(key) as secret:
            context.load_cert_chain(certificate, secret, password=_no_password)
    except _LockedKeyError:
        raise CertificateError(
            f"TLS: the key {key} is locked with a password, which nobody can type here; give one without, of mode 0600"
        ) from None
    except ssl.SSLError as error:
        raise CertificateError(_told(error, file, key)) from None
    except OSError as error:  # its storage fails
        raise CertificateError(f"TLS: {file} and {key} cannot be read: {error.strerror}; give both again") from None
    return context


@contextmanager
def _opened(path: Path) -> Iterator[str]:
    """Another path of a file that is open, so that what comes in its place meanwhile is not waited for."""
    try:
        file = open_file(path)
    except RefusedFileError as error:
        raise CertificateError(f"TLS: {error}; give a file in PEM form") from None
    except OSError as error:
        raise CertificateError(f"TLS: {path} cannot be read: {error.strerror}; give a file in PEM form") from None
    with file:
        if os.fstat(file.fileno()).st_size > _MOST_BYTES:
            raise CertificateError(f"TLS: {path} has more than {_MOST_BYTES} bytes; give a file in PEM form")
        yield f"/dev/fd/{file.fileno()}"


class _LockedKeyError(ValueError):
    pass


def _no_password() -> str:
    """Nobody may be there to type one."""
    raise _LockedKeyError


def _told(error: ssl.SSLError, file: Path, key: Path) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"TLS: the key {key} is not that of the certificate {file}; give the two that belong together"
    return f"TLS: {file} and {key} are no certificate and key in PEM form ({error.reason or error}); give such files"


def _greeted(server_side: ssl.SSLContext, file: Path) -> Mapping[str, object]:
    """The certificate as a client reads it that trusts only it, after a handshake in memory."""
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.check_hostname = False
    client_side.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        client_side.load_verify_locations(file)
        client = client_side.wrap_bio(to_client, to_server)
        server = server_side.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(_FLIGHTS):
            for side in (client, server):
                with suppress(ssl.SSLWantReadError):
                    side.do_handshake()
        return client.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise CertificateError(f"TLS: browsers refuse {file}: {error.verify_message}; have a new one issued") from None
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise CertificateError(f"TLS: {file} cannot be used: {error}; give a certificate for servers") from None


def _names(shown: Mapping[str, object]) -> tuple[str, ...]:
    """The names and addresses that a certificate is for, in lower case."""
    alternatives = shown.get("subjectAltName", ())
    assert isinstance(alternatives, tuple)
    return tuple(str(name).lower() for kind, name in alternatives if kind in ("DNS", "IP Address"))
